"""zstd and brotli: as Kombu has them, and never larger than they may be."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import compression as kombu_compression

from celeriac import Celery
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac_compression.brotli import Brotli
from celeriac_compression.zstd import Zstd, zstd

DRIVERS = {"zstd": Zstd(), "brotli": Brotli()}


@pytest.fixture
def app():
    with Celery("pressed", set_as_current=False) as app:
        yield app


@pytest.mark.parametrize("name", DRIVERS)
@given(data=st.binary(max_size=5000))
def test_what_was_compressed_expands_to_itself(name, data):
    driver = DRIVERS[name]
    assert driver.expand(driver.compress(data), 5000) == data


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_kombu_reads_and_writes_the_same(driver):
    body, kind = kombu_compression.compress(b"a body" * 50, driver.content_type)
    assert kind == driver.content_type
    assert driver.expand(body, 1000) == b"a body" * 50
    assert kombu_compression.decompress(driver.compress(b"a body"), kind) == b"a body"


@pytest.mark.parametrize("name", DRIVERS)
@given(data=st.binary(max_size=200))
def test_anything_else_is_a_protocol_error(name, data):
    try:
        DRIVERS[name].expand(data, 10_000)
    except ProtocolError:
        return
    assert data  # hypothesis has found something that really is compressed


def test_a_window_that_asks_for_much_memory_is_refused():
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(b"x" * 1000) + compressor.flush()
    with pytest.raises(ProtocolError, match="cannot be decompressed"):
        Zstd().expand(data, 10_000)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("zstd", "application/zstd"), ("zstandard", "application/zstd"), ("brotli", "application/x-brotli")],
)
def test_an_app_finds_them_by_name_and_by_what_the_header_says(app, name, kind):
    told, data = app.compression.compress(b"a body", name)
    assert told == kind
    assert app.compression.expand(data, told) == b"a body"


def test_the_limit_is_the_apps(app):
    kind, data = app.compression.compress(bytes(2000), "zstd")
    app.conf.accept_expanded_bytes = 1000
    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        app.compression.expand(data, kind)


def test_an_unknown_method_is_refused_at_both_ends(app):
    with pytest.raises(SerializationError, match="no compression is called 'snappy'"):
        app.compression.compress(b"", "snappy")
    with pytest.raises(ProtocolError, match="not known here"):
        app.compression.expand(b"", "application/x-snappy")


def test_a_message_cannot_choose_what_is_imported(app, tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ProtocolError, match="not known here"):
        app.compression.expand(b"", "planted:Thing")


def test_kombu_is_as_it_was_when_the_app_is_gone():
    with Celery("gone", set_as_current=False) as gone:
        gone.connection_for_read("memory://").release()
        kind, data = gone.compression.compress(b"a body", "zstd")
    del gone
    gc.collect()
    assert kombu_compression.decompress(data, kind) == b"a body"


@pytest.mark.parametrize("name", ["gzip", "bzip2", "lzma", "zstd", "brotli"])
def test_kombu_expands_no_more_than_the_app(app, name):
    # Given an app that has a connection
    app.conf.accept_expanded_bytes = 1000
    app.connection_for_read("memory://").release()
    kind, data = app.compression.compress(bytes(2000), name)

    # When Kombu reads a message for anybody, then the limit holds
    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        kombu_compression.decompress(data, kind)
