"""Zstandard (RFC 8878)."""

from __future__ import annotations

import sys
from typing import ClassVar, Final

from celeriac.contracts import Compressor
from celeriac.protocol.compression import expand_with

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: The largest window that is allocated, as a power of two; 8 MiB, which all presets up to 19 stay within.
_WINDOW: Final = 23


class Zstd(Compressor):
    """Compresses about as much as gzip, and several times as fast."""

    content_type: ClassVar[str] = "application/zstd"

    def compress(self, data: bytes) -> bytes:
        return bytes(zstd.compress(data))

    def expand(self, data: bytes, most: int) -> bytes:
        expander = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW})
        return expand_with(expander, data, most, (zstd.ZstdError, EOFError, ValueError))
