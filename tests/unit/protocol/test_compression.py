"""Bodies are compressed as the header says, and expand to no more than they may."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol.compression import compress, expand

METHODS = {"gzip": "application/x-gzip", "bzip2": "application/x-bz2", "lzma": "application/x-lzma"}


@pytest.mark.parametrize("name", METHODS)
@given(data=st.binary(max_size=5000))
def test_what_was_compressed_expands_to_itself(name, data):
    kind, small = compress(data, name)

    assert kind == METHODS[name]
    assert expand(small, kind) == data


@pytest.mark.parametrize("kind", METHODS.values())
def test_kombu_reads_and_writes_the_same(kind):
    from kombu import compression

    body, named = compression.compress(b"a body" * 50, kind)
    assert expand(body, named) == b"a body" * 50
    assert compression.decompress(compress(b"a body", kind)[1], kind) == b"a body"


@pytest.mark.parametrize("kind", METHODS.values())
def test_a_bomb_is_refused_before_it_fills_the_memory(kind):
    _, bomb = compress(bytes(10_000_000), kind)

    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        expand(bomb, kind, most=1000)


@pytest.mark.parametrize("kind", METHODS.values())
@given(data=st.binary(max_size=200))
def test_anything_else_is_a_protocol_error(kind, data):
    try:
        expand(data, kind)
    except ProtocolError:
        return
    assert data  # hypothesis has found something that really is compressed


def test_a_body_without_its_end_is_refused():
    with pytest.raises(ProtocolError, match="end is missing"):
        expand(zlib.compress(bytes(range(256)) * 9)[:-4], "application/x-gzip")


@pytest.mark.parametrize("kind", ["application/zstd", "", None, 7])
def test_a_method_that_is_not_known_is_named(kind):
    with pytest.raises(ProtocolError, match="not known here"):
        expand(b"", kind)
    with pytest.raises(SerializationError, match="there are gzip, bzip2, lzma"):
        compress(b"", str(kind))
