"""The decoders of signed content: what a stranger's bytes meet before any signature is verified, and after."""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from celeriac import Celery
from celeriac_auth.envelope import Envelope, pack
from celeriac_auth.header_signature import HEADER, proof_in
from celeriac_auth.sealing import SEALED, Keyring

#: Keys that everybody has.
KEYS = Path(__file__).parents[1] / "plugins" / "auth" / "data"


@cache
def auth(wire: str) -> Any:
    """The serializer of an app."""
    app = Celery("fuzz-signed", broker="memory://", backend="disabled://", set_as_current=False)
    app.conf.update(
        task_serializer="auth",
        event_serializer="auth",
        result_serializer="auth",
        security_key=str(KEYS / "test-only.key"),
        security_certificate=str(KEYS / "test-only.pem"),
        security_cert_store=str(KEYS / "*.pem"),
        security_wire_format=wire,
    )
    app.setup_security()
    return app.serializers.get("auth")


@cache
def home() -> TemporaryDirectory[str]:
    """Kept until the process ends: the files are looked at again and again."""
    return TemporaryDirectory()


@cache
def keyring() -> Keyring:
    Path(home().name, "one.key").write_bytes(b64encode(bytes(32)))
    return Keyring(home().name, "one")


def outside(data: bytes) -> Any:
    """As it comes, in either form."""
    return auth("5.4").loads(data)


def packed(data: bytes) -> Any:
    """What is in the base64 around it, which noise seldom is."""
    return auth("5.4").loads(b64encode(data))


def inside(data: bytes) -> Any:
    """What somebody with a key has signed, whatever it is: a content type, a byte of zero, a body."""
    content_type, _, body = data.partition(b"\x00")
    identity = auth("5.5").content.identity
    kind = content_type.decode("utf-8", "replace")
    return auth("5.5").loads(pack(Envelope(identity.id, identity.sign(body), kind, "utf-8", body)))


def sealed(data: bytes) -> Any:
    """What is to be unsealed."""
    return keyring().unseal(data, "one 1")


def header(data: bytes) -> Any:
    """The header with the signature of the others."""
    return proof_in({HEADER: data.decode("latin-1")})


def seeds() -> dict[str, tuple[bytes, ...]]:
    """Valid inputs of each."""
    value = [[1, "two"], {"x": None}, {}]
    new, old = auth("5.5").dumps(value), auth("5.4").dumps(value)
    return {
        "outside": (new, old),
        "packed": (b64decode(new), b64decode(old)),
        "inside": (b"application/json\x00[[1],{},{}]", SEALED.encode() + b"\x00\x01\x03one"),
        "sealed": (keyring().seal("application/json", b"[]", "one 1"),),
        "header": (b"1." + b64encode(b'["DE 1",1.5,"' + b"0" * 32 + b'"]') + b"." + b64encode(bytes(64)),),
    }
