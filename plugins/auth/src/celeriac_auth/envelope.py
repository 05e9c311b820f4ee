"""A signed body on the wire, as Celery has it since 5.5, and as it was until 5.4."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final, NamedTuple

from celeriac.exceptions import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

_SEPARATOR: Final = b"\x00\x01"


class Envelope(NamedTuple):
    """`signer` is the id of a certificate; the signature is that of `body` alone."""

    signer: str
    signature: bytes
    content_type: str
    content_encoding: str
    body: bytes


def pack(envelope: Envelope) -> bytes:
    """The bytes of the wire."""
    signer, signature = b64encode(envelope.signer.encode()), b64encode(envelope.signature)
    return b64encode(_SEPARATOR.join([signer, signature, *_rest(envelope)]))


def pack_as_54(envelope: Envelope) -> bytes:
    """The same, for Celery until 5.4."""
    return b64encode(_SEPARATOR.join([envelope.signer.encode(), envelope.signature, *_rest(envelope)]))


def _rest(envelope: Envelope) -> tuple[bytes, bytes, bytes]:
    return envelope.content_type.encode(), envelope.content_encoding.encode(), envelope.body


def unpack(data: bytes) -> Envelope:
    """Raises `ProtocolError` for bytes of another form."""
    parts = _decoded(data).split(_SEPARATOR, 4)
    if len(parts) != 5:
        raise _malformed()
    return Envelope(_text(_decoded(parts[0])), _decoded(parts[1]), _text(parts[2]), _text(parts[3]), parts[4])


def unpack_any(data: bytes, signature_size: Callable[[str], int]) -> Envelope:
    """The same for either form; `signature_size` gives the bytes of a signature of the signer of that id.

    Raises `ProtocolError`, and what `signature_size` raises.
    """
    try:
        return unpack(data)
    except ProtocolError:
        return _unpack_54(_decoded(data), signature_size)


def _unpack_54(plain: bytes, signature_size: Callable[[str], int]) -> Envelope:
    # The signature may hold the separator, so that its length has to be known.
    raw_signer, separator, rest = plain.partition(_SEPARATOR)
    if not separator:
        raise _malformed()
    signer = _text(raw_signer)
    size = signature_size(signer)
    signature, rest = rest[:size], rest[size:]
    parts = rest.split(_SEPARATOR, 3)
    if len(signature) != size or len(parts) != 4 or parts[0]:
        raise _malformed()
    return Envelope(signer, signature, _text(parts[1]), _text(parts[2]), parts[3])


def _decoded(data: bytes) -> bytes:
    try:
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed() from None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _malformed() from None


def _malformed() -> ProtocolError:
    return ProtocolError("this is no signed message: it is cut short, or of another form")
