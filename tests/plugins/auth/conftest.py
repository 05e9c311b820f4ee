"""Signers with keys of their own, and apps that sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

from celeriac.app.base import Celery

PEM = serialization.Encoding.PEM

_KINDS = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "weak-ec": lambda: ec.generate_private_key(ec.SECP192R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "weak-rsa": lambda: rsa.generate_private_key(65537, 1024),
}


@cache
def rsa_key(kind: str) -> Any:
    """One per process: they take long to make."""
    return _KINDS[kind]()


@dataclass(frozen=True)
class Signer:
    """Files and ids of somebody who can sign."""

    key_path: Path
    cert_path: Path
    key: Any
    cert: x509.Certificate

    @property
    def id(self) -> str:
        issuer = " ".join(str(attribute.value) for attribute in self.cert.issuer)
        return f"{issuer} {self.cert.serial_number}"

    @property
    def settings(self) -> dict[str, str]:
        return {"security_key": str(self.key_path), "security_certificate": str(self.cert_path)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The directory of those who are trusted."""
    path = tmp_path / "store"
    path.mkdir()
    return path


@pytest.fixture
def make_signer(tmp_path: Path, store: Path) -> Callable[..., Signer]:
    """Return ``make_signer(name, ...)``: somebody with a key and a certificate, in the store unless not `trusted`.

    The certificate is valid from `begins` to `ends` days from now.
    """

    def make(
        name: str = "worker",
        kind: str = "ed25519",
        begins: float = -1,
        ends: float = 30,
        serial: int | None = None,
        trusted: bool = True,
        password: bytes | None = None,
        issuer: Signer | None = None,
    ) -> Signer:
        key = rsa_key(kind) if "rsa" in kind and name == "worker" else _KINDS[kind]()
        own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        signing = key if issuer is None else issuer.key
        edwards = isinstance(signing, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
        cert = (
            x509.CertificateBuilder()
            .subject_name(own_name)
            .issuer_name(own_name if issuer is None else issuer.cert.subject)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begins))
            .not_valid_after(now + timedelta(days=ends))
            .sign(signing, None if edwards else hashes.SHA256())
        )
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        base = tmp_path / f"{name}-{uuid4().hex[:6]}"
        signer = Signer(base.with_suffix(".key"), base.with_suffix(".pem"), key, cert)
        signer.key_path.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, lock))
        signer.cert_path.write_bytes(cert.public_bytes(PEM))
        if trusted:
            (store / signer.cert_path.name).write_bytes(cert.public_bytes(PEM))
        return signer

    return make


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}"


@pytest.fixture
def make_app(url: str, store: Path, make_signer: Callable[..., Signer]) -> Iterator[Callable[..., Celery]]:
    """Return ``make_app(signer, **settings)``: an app that signs as `signer`, with all settings that this takes."""
    made: list[Celery] = []

    def make(signer: Signer | None = None, set_up: bool = True, **settings: Any) -> Celery:
        given = {
            "broker": url,
            "backend": url,
            "task_serializer": "auth",
            "event_serializer": "auth",
            "result_serializer": "auth",
            "security_cert_store": str(store),
            **(signer or make_signer()).settings,
            **settings,
        }
        app = Celery("proj", set_as_current=False, **given)
        made.append(app)
        if set_up:
            app.setup_security()
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app: Callable[..., Celery]) -> Celery:
    return make_app()
