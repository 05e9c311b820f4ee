"""Compressed bodies: the header ``compression`` names how (wire page 1.2).  Those that Python itself can do."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from celeriac.exceptions import ProtocolError, SerializationError

__all__ = ["MAX_EXPANDED", "compress", "expand", "expand_with", "is_known", "names"]

#: The most that one body may expand to, in bytes: a few kilobytes must not fill the memory of a worker.
MAX_EXPANDED: Final = 128 * 1024 * 1024
#: What LZMA may take for its dictionary, whose size a stranger chooses: four times what the usual preset needs.
_LZMA_MEMORY: Final = 64 * 1024 * 1024


class _Method(NamedTuple):
    names: tuple[str, ...]
    compress: Callable[[bytes], bytes]
    #: Makes an object whose ``decompress(data, max_length)`` stops there.
    expander: Callable[[], Any]


_METHODS: Final = {
    "application/x-gzip": _Method(("gzip", "zlib"), zlib.compress, zlib.decompressobj),
    "application/x-bz2": _Method(("bzip2", "bzip", "bz2"), bz2.compress, bz2.BZ2Decompressor),
    "application/x-lzma": _Method(("lzma", "xz"), lzma.compress, lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)),
}
_BY_NAME: Final = {name: kind for kind, method in _METHODS.items() for name in (kind, *method.names)}
_ERRORS: Final = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


def is_known(name: str) -> bool:
    """Whether `compress` and `expand` know this name or content type."""
    return name in _BY_NAME


def names() -> list[str]:
    """The names that users write, one for each method."""
    return [method.names[0] for method in _METHODS.values()]


def compress(data: bytes, name: str) -> tuple[str, bytes]:
    """The header's value, and `data` compressed.  Raises `SerializationError` for a method that is not known here."""
    kind = _BY_NAME.get(name)
    if kind is None:
        raise SerializationError(f"no compression is called {name!r}; there are {', '.join(names())}")
    return kind, _METHODS[kind].compress(data)


def expand(data: bytes, kind: object, most: int = MAX_EXPANDED) -> bytes:
    """The body that was compressed as the header says.

    Raises `ProtocolError` for a method that is not known here, for damaged data, and for what expands to more than
    `most` bytes.
    """
    method = _METHODS.get(_BY_NAME.get(kind, "")) if isinstance(kind, str) else None
    if method is None:
        raise ProtocolError(f"the body is compressed by {str(kind)[:100]!r}, which is not known here")
    return expand_with(method.expander(), data, most, _ERRORS)


def expand_with(expander: Any, data: bytes, most: int, errors: tuple[type[Exception], ...]) -> bytes:
    """What `expander`, with the interface of `bz2.BZ2Decompressor`, makes of `data`; for drivers too.

    `errors` is what it raises for damaged data.  Raises `ProtocolError` for that, for cut data, and for what expands
    to more than `most` bytes.
    """
    try:
        found: bytes = expander.decompress(data, most + 1)
    except errors as error:
        raise ProtocolError(f"the body cannot be decompressed: {error}") from error
    except MemoryError:
        raise ProtocolError("the body cannot be decompressed: it asks for more memory than there is") from None
    if len(found) > most:
        raise ProtocolError(f"the body expands to more than {most} bytes, so it is refused")
    if not expander.eof:
        raise ProtocolError("the body cannot be decompressed: its end is missing")
    return found
