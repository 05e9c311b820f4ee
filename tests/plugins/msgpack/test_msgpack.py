"""MessagePack: what Kombu writes is read and the other way round; what could not be read is not sent."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import serialization

from celeriac import Celery
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.testing.conformance import SerializerHarness, SerializerSuite
from celeriac_msgpack.serializer import MsgpackSerializer

msgpack = MsgpackSerializer()


class TestConformance(SerializerSuite):
    def make_harness(self):
        return SerializerHarness("msgpack")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.binary(), inner, max_size=4),
    max_leaves=15,
)


@given(values)
def test_what_was_written_is_read_by_us_and_by_kombu(value):
    data = msgpack.dumps(value)
    assert msgpack.loads(data) == value
    assert (
        serialization.loads(data, msgpack.content_type, msgpack.content_encoding, accept={msgpack.content_type})
        == value
    )


@given(values)
def test_what_kombu_writes_is_read(value):
    kind, encoding, data = serialization.dumps(value, serializer="msgpack")
    assert (kind, encoding) == (msgpack.content_type, msgpack.content_encoding)
    assert msgpack.loads(data) == value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime.now(UTC), r"object of type datetime .*isoformat"),
        (Decimal(1), r"object of type Decimal .*str\(value\)"),
        (uuid4(), "object of type UUID"),
        ({1}, "object of type set"),
        (2**64, "integer of 65 bits"),
        ({1: 2}, "a key that is no text"),
    ],
)
def test_what_a_reader_could_not_read_is_not_sent(value, told):
    with pytest.raises(SerializationError, match=rf"^value\[1\]: .*{told}"):
        msgpack.dumps([0, value])


def test_what_nests_too_deep_is_not_sent():
    deep = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(SerializationError, match="nests deeper"):
        msgpack.dumps(deep)


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"\x81\x01\x02",
        b"\x81\x90\x01",
        b"\xa1\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\x91" * 5000 + b"\xc0",
        b"\x01\x02",
        b"\xd6\xff\xff",
    ],
)
def test_hostile_data_is_the_one_typed_error(data):
    with pytest.raises(ProtocolError):
        msgpack.loads(data)


def test_lists_that_claim_to_be_long_inside_each_other_take_no_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ProtocolError):
        msgpack.loads(b"\xdd\x00\x0f\x00\x00" * 200_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


def test_too_long_a_message_is_neither_written_nor_read(monkeypatch):
    data = msgpack.dumps("x" * 20)
    monkeypatch.setattr("celeriac_msgpack.serializer.MAX_BYTES", 10)
    with pytest.raises(SerializationError, match="more than 10"):
        msgpack.dumps("x" * 20)
    with pytest.raises(ProtocolError, match="longer than the 10"):
        msgpack.loads(data)


def test_an_error_whose_arguments_it_cannot_write_is_stored_with_their_reprs():
    with Celery("errors", backend="memory://msgpack", set_as_current=False) as app:
        app.conf.update(result_serializer="msgpack", accept_content=["msgpack"])
        app.results.store_state("1", "FAILURE", ValueError("late", datetime(2030, 1, 1, tzinfo=UTC), b"\xff"))
        error = app.AsyncResult("1").result
    assert (type(error), error.args[::2]) == (ValueError, ("late", b"\xff"))
    assert error.args[1].startswith("datetime.datetime(2030")
