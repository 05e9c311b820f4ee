"""The certificate of one signer."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from celeriac.exceptions import SecurityError
from celeriac_auth.algorithms import VerifyingKey, unfit, verify
from celeriac_auth.digests import get_digest_algorithm


class Certificate:
    """An X.509 certificate from PEM text.  Raises `SecurityError` for what is none that can be used."""

    def __init__(self, cert: str | bytes | x509.Certificate) -> None:
        found = cert if isinstance(cert, x509.Certificate) else _loaded(cert)
        try:
            key = found.public_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            raise SecurityError(f"the key of a certificate cannot be used: {error}") from None
        if (reason := unfit(key)) is not None:
            raise SecurityError(reason)
        self._cert = found
        self._key: VerifyingKey = key  # type: ignore[assignment]  # just seen to be one
        self._issuer = " ".join(_text(attribute.value) for attribute in found.issuer)
        self._id = f"{self._issuer} {found.serial_number}"
        self._begins = found.not_valid_before_utc.timestamp()
        self._ends = found.not_valid_after_utc.timestamp()

    def has_expired(self) -> bool:
        """Whether its time is over."""
        return time.time() >= self._ends

    def untimely(self, skew: float = 0.0) -> str | None:
        """Why it does not count now, give or take `skew` seconds; None where it does."""
        now = time.time()
        if now - skew >= self._ends:
            return f"the certificate of {self._id!r} has expired on {_day(self._ends)}"
        if now + skew < self._begins:
            return f"the certificate of {self._id!r} is not valid before {_day(self._begins)}"
        return None

    @property
    def ends(self) -> float:
        """When it expires, in seconds since the epoch."""
        return self._ends

    @property
    def x509(self) -> x509.Certificate:
        """The certificate itself."""
        return self._cert

    def get_pubkey(self) -> VerifyingKey:
        """Its key."""
        return self._key

    def get_serial_number(self) -> int:
        """The number that its issuer has given it."""
        return self._cert.serial_number

    def get_issuer(self) -> str:
        """The values of the issuer's name, in a row."""
        return self._issuer

    def get_id(self) -> str:
        """How messages name it: issuer and serial number."""
        return self._id

    def verify(self, data: bytes, signature: bytes, digest: str | hashes.HashAlgorithm = "sha256") -> None:
        """Raises `SecurityError` where `signature` is not that of `data` with the key of this certificate."""
        try:
            verify(self._key, signature, data, get_digest_algorithm(digest))
        except (InvalidSignature, ValueError):
            raise SecurityError(f"the signature is not that of {self._id!r}, or what it signs was altered") from None

    def fingerprint(self) -> bytes:
        """What two certificates have in common only if they are the same."""
        return self._cert.fingerprint(hashes.SHA256())

    def is_of(self, key: VerifyingKey) -> bool:
        """Whether `key` is the one that it certifies."""
        return _encoded(self._key) == _encoded(key)

    def __repr__(self) -> str:
        return f"<Certificate: {self._id!r}, until {_day(self._ends)}>"


def _loaded(text: str | bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(text.encode() if isinstance(text, str) else text)
    except (ValueError, TypeError) as error:
        raise SecurityError(f"this is no PEM certificate: {error}") from None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(" ", "seconds")


def _encoded(key: VerifyingKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
