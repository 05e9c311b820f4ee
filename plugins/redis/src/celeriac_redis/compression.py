"""Compressed results, in the form that Celery 5.7 gives them."""

from __future__ import annotations

from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured, SerializationError

_MARK: Final = b"\x00celery-compressed\x00"


def compressed(app: Any, data: bytes, name: str) -> bytes:
    """The result, compressed and saying how.  Raises ImproperlyConfigured for an unknown name."""
    try:
        kind, small = app.compression.compress(data, name)
    except SerializationError as error:
        raise ImproperlyConfigured(f"result_compression is {name!r}: {error}") from error
    return bytes(_MARK + kind.encode() + b"\x00" + small)


def decompressed(app: Any, data: bytes) -> bytes:
    """The result as it was, whether it was compressed or not.

    Raises ProtocolError for one that is damaged, too large, or compressed in a way not known here.
    """
    if not data.startswith(_MARK):
        return data
    kind, _, rest = data[len(_MARK) :].partition(b"\x00")
    return bytes(app.compression.expand(rest, kind.decode("ascii", "replace")))
