"""Compressed results, in the form that Celery 5.7 gives them."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured, ProtocolError
from celeriac.protocol.json import MAX_BYTES

_MARK: Final = b"\x00celery-compressed\x00"

#: Content type -> compress, and what makes a decompressor that can be told when to stop.
_KNOWN: Final[dict[str, tuple[Callable[[bytes], bytes], Callable[[], Any]]]] = {
    "application/x-gzip": (zlib.compress, zlib.decompressobj),
    "application/x-bz2": (bz2.compress, bz2.BZ2Decompressor),
    "application/x-lzma": (lzma.compress, lzma.LZMADecompressor),
}
_NAMES: Final = {
    "gzip": "application/x-gzip",
    "zlib": "application/x-gzip",
    "bzip2": "application/x-bz2",
    "bzip": "application/x-bz2",
    "lzma": "application/x-lzma",
    "xz": "application/x-lzma",
}


def compressed(data: bytes, name: str) -> bytes:
    """The result, compressed and saying how.  Raises ImproperlyConfigured for an unknown name."""
    kind = _NAMES.get(name, name)
    if kind not in _KNOWN:
        raise ImproperlyConfigured(f"result_compression is {name!r}; it can be {', '.join(sorted(_NAMES))}")
    return _MARK + kind.encode() + b"\x00" + _KNOWN[kind][0](data)


def decompressed(data: bytes) -> bytes:
    """The result as it was, whether it was compressed or not.

    Raises ProtocolError for one that is damaged, longer than MAX_BYTES, or compressed in a way that is not known here.
    """
    if not data.startswith(_MARK):
        return data
    kind, _, rest = data[len(_MARK) :].partition(b"\x00")
    known = _KNOWN.get(kind.decode("ascii", "replace"))
    if known is None:
        raise ProtocolError(f"a result is compressed as {kind[:100]!r}; only gzip, bzip2 and lzma can be read")
    reader = known[1]()
    try:
        found: bytes = reader.decompress(rest, MAX_BYTES)
    except (zlib.error, OSError, EOFError, lzma.LZMAError) as error:
        raise ProtocolError(f"a compressed result is damaged: {error}") from None
    if not reader.eof:
        raise ProtocolError(f"a compressed result is cut off, or longer than {MAX_BYTES} bytes")
    return found
