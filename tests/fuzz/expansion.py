"""Compressed content that gets past the checksums, which a fuzzer does not guess: the bytes are a recipe for it."""

from __future__ import annotations

import bz2
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from celeriac.exceptions import ProtocolError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: The first byte chooses what the rest of a recipe is; the second how it is compressed.
PLAIN, RAW, HEADED = range(3)
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def checked(
    expand: Callable[[bytes, str], bytes], kind: str, make: Callable[[bytes], tuple[bytes, bytes | None]], most: int
) -> Callable[[bytes], None]:
    """Expands what a recipe makes; where its plain content is known, that is what must come out, or nothing."""

    def run(data: bytes) -> None:
        made, plain = make(data)
        try:
            found = expand(made, kind)
        except ProtocolError:
            assert plain is None or len(plain) > most, "content that is as it should be was refused"
            raise
        assert len(found) <= most
        assert plain is None or found == plain

    return run


def gzip(data: bytes) -> tuple[bytes, bytes | None]:
    """Any content; any deflated stream under a right checksum; and any header under a right check of its own."""
    way, choice, rest = _parts(data)
    if way == PLAIN:
        plain = _grown(rest, choice)
        packer = zlib.compressobj(choice % 10, zlib.DEFLATED, 9 + choice % 7, 1 + choice % 9, choice % 5)
        return packer.compress(plain) + packer.flush(), plain
    if way == RAW:
        return _zlib_header(0x78, 0) + rest + zlib.adler32(_inflated(rest)).to_bytes(4, "big"), None
    method, flags, deflated = rest[:1] or b"\x78", rest[1:2] or b"\0", rest[2:]
    return _zlib_header(method[0], flags[0]) + deflated + zlib.adler32(_inflated(deflated)).to_bytes(4, "big"), None


def bzip2(data: bytes) -> tuple[bytes, bytes | None]:
    """Any content; several streams behind each other; and blocks that are longer than the header says."""
    way, choice, rest = _parts(data)
    plain = _grown(rest, choice)
    made = bz2.compress(plain, 1 + choice % 9)
    if way == PLAIN:
        return made, plain
    if way == RAW:
        return made + bz2.compress(rest) + rest, None
    return made[:3] + bytes(rest[:1] or b"1") + made[4:], None


def zstandard(data: bytes) -> tuple[bytes, bytes | None]:
    """Any content, with and without its checksum; frames of blocks of each kind; and any header before such a frame."""
    way, choice, rest = _parts(data)
    if way == PLAIN:
        plain = _grown(rest, choice)
        options = {
            zstd.CompressionParameter.compression_level: 1 + choice % 9,
            zstd.CompressionParameter.checksum_flag: choice & 1,
            zstd.CompressionParameter.content_size_flag: choice >> 1 & 1,
            zstd.CompressionParameter.window_log: 10 + choice % 12,
        }
        return zstd.compress(plain, options=options), plain
    blocks = b"".join(_blocks(rest))
    if way == RAW:
        return _ZSTD_MAGIC + bytes((0, choice % 0x60)) + blocks, None
    return _ZSTD_MAGIC + rest[:6] + blocks, None


def seeds(way: int, *contents: bytes) -> tuple[bytes, ...]:
    """Recipes."""
    return tuple(bytes((way, choice)) + content for content in contents for choice in (0, 1, 77))


def _parts(data: bytes) -> tuple[int, int, bytes]:
    head = data[:2].ljust(2, b"\0")
    return head[0] % 3, head[1], data[2:]


def _grown(content: bytes, choice: int) -> bytes:
    """Now and then as long as what is read at most, or a little longer."""
    return content * (1 + 4096 // max(len(content), 1)) * 257 if choice >= 0xF0 else content


def _zlib_header(method: int, flags: int) -> bytes:
    flags &= 0xE0
    return bytes((method, flags | (31 - (method << 8 | flags) % 31) % 31))


def _inflated(data: bytes) -> bytes:
    """As far as it goes."""
    expander: Any = zlib.decompressobj(-15)
    try:
        return bytes(expander.decompress(data, 1 << 20))
    except zlib.error:
        return b""


def _blocks(data: bytes) -> Iterator[bytes]:
    """Raw, of one byte that is repeated, compressed, of the kind that there is not; the last one is marked so."""
    while data:
        kind, size, data = data[0] & 3, int.from_bytes(data[1:3].ljust(2, b"\0"), "little") << (data[0] >> 5), data[3:]
        content = data[:1] if kind == 1 else data[:size]
        data = data[len(content) :]
        claimed = size if kind == 1 else len(content)
        yield ((claimed << 3 | kind << 1 | (not data)) & 0xFFFFFF).to_bytes(3, "little") + content
