"""Brotli (RFC 7932)."""

from __future__ import annotations

from typing import ClassVar, Final

import brotli

from celeriac.contracts import Compressor
from celeriac.exceptions import ProtocolError

#: Of 0 to 11.  The library's own is 11, which takes a hundred times as long and is meant for files that are kept.
_QUALITY: Final = 5


class Brotli(Compressor):
    """Compresses text better than gzip."""

    content_type: ClassVar[str] = "application/x-brotli"

    def compress(self, data: bytes) -> bytes:
        return bytes(brotli.compress(data, quality=_QUALITY))

    def expand(self, data: bytes, most: int) -> bytes:
        expander = brotli.Decompressor()
        pieces: list[bytes] = []
        size, rest = 0, data
        try:
            while True:
                # Its limit is a wish: a piece may be somewhat larger.
                piece = expander.process(rest, output_buffer_limit=most - size + 1)
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise ProtocolError(f"the body expands to more than {most} bytes, so it is refused")
                if expander.is_finished():
                    return b"".join(pieces)
                if not piece:
                    raise ProtocolError("the body cannot be decompressed: its end is missing")
                rest = b""
        except brotli.error as error:
            raise ProtocolError(f"the body cannot be decompressed: {error}") from error
        except MemoryError:
            raise ProtocolError("the body cannot be decompressed: it asks for more memory than there is") from None
