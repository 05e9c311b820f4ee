"""Headers and properties are those that the client library reads and writes; hostile ones are refused."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from amqp.basic_message import Message
from amqp.exceptions import UnexpectedFrame
from amqp.serialization import dumps, loads
from hypothesis import given
from hypothesis import strategies as st

from celeriac_amqp.arrivals import Arrival, Source
from celeriac_amqp.content import read_content, tag_in, write_content
from celeriac_amqp.tables import DEEPEST, TableError, read_table, write_table
from celeriac_amqp.wire import Wire, _deliveries_first, _Inbox

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=20),
        st.decimals(-(10**6), 10**6, places=3),
        st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2100, 1, 1)).map(
            lambda d: d.replace(microsecond=0)
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
tables = st.dictionaries(st.text(max_size=10), values, max_size=8)


@given(tables)
def test_a_table_is_written_as_the_library_reads_it(table):
    (found,), end = loads("F", data := write_table(table), 0)
    assert found == table
    assert end == len(data)


@given(tables)
def test_a_table_is_read_as_the_library_writes_it(table):
    data = dumps("F", [table])
    assert read_table(b"before" + data + b"after", 6) == (table, 6 + len(data))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_table_are_refused_in_one_way(data):
    try:
        read_table(data)
        read_content(data)
    except TableError:
        pass


def test_a_table_cannot_be_too_deep():
    deep = {}
    for _ in range(DEEPEST + 5):
        deep = {"in": deep}
    with pytest.raises(TableError, match="deep"):
        write_table(deep)
    with pytest.raises(TableError, match="deep"):
        read_table(dumps("F", [deep]))


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"stamp": object()}, "stamp: a header cannot hold object"),
        ({"big": 2**64}, "big: .* more than 64 bits"),
        ({"list": [1, {"in": {1}}]}, "list: in: a header cannot hold set"),
        ({"x" * 256: 1}, "longer than 255 bytes"),
        ({"price": Decimal(2**40)}, "more than 32 bits"),
    ],
)
def test_what_no_header_can_hold_is_named(value, match):
    with pytest.raises(TableError, match=match):
        write_table(value)


properties = st.fixed_dictionaries(
    {},
    optional={
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.integers(0, 255),
        "timestamp": st.integers(0, 2**40),
        **{
            name: st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
            for name in ("correlation_id", "reply_to", "expiration", "message_id", "type", "user_id", "app_id")
        },
    },
)


@given(properties, tables)
def test_properties_are_those_of_the_library(properties, headers):
    ours = write_content(7, "application/json", "utf-8", headers, properties)
    theirs = Message()
    theirs.inbound_header(ours)
    known = {"content_type": "application/json", "content_encoding": "utf-8", "application_headers": headers}
    assert theirs.properties == {**known, **properties}
    assert theirs.body_size == 7

    found = read_content(ours)
    assert found == ("application/json", "utf-8", headers, properties)


def test_a_property_that_amqp_cannot_carry_is_named():
    with pytest.raises(TableError, match="correlation_id is longer"):
        write_content(0, None, None, {}, {"correlation_id": "x" * 256})
    with pytest.raises(TableError, match="priority must be a number"):
        write_content(0, None, None, {}, {"priority": 300})


@pytest.mark.parametrize("seconds", [2**38, 2**50, 2**63])
def test_a_moment_after_the_last_year_costs_its_message_its_headers_and_nobody_else_anything(seconds):
    table = b"\x01tT" + seconds.to_bytes(8, "big")
    header = b"\x00\x3c\x00\x00" + bytes(8) + b"\x20\x00" + len(table).to_bytes(4, "big") + table
    arguments = b"\x00\x3c\x00\x3c\x03tag" + (7).to_bytes(8, "big") + b"\x00\x00\x01q"
    with pytest.raises(TableError, match="not a table"):
        read_content(header)
    found = Arrival(arguments, header, b"[]", 10).delivery({"tag": Source("tasks", False)})
    assert (found.tag, found.queue, found.headers, found.body) == (17, "tasks", {}, b"[]")


def test_a_delivery_that_is_cut_behind_its_tag_has_nothing_but_its_tag_and_body():
    whole = b"\x00\x3c\x00\x3c\x03tag" + (7).to_bytes(8, "big") + b"\x00\x00\x01q"
    header = write_content(2, "application/json", "utf-8", {"id": "1"}, {})
    for length in range(len(whole) - 4, len(whole)):
        found = Arrival(whole[:length], header, b"[]", 10).delivery({"tag": Source("tasks", False)})
        assert (found.tag, found.body, found.headers) == (17, b"[]", {"id": "1"})


@pytest.mark.parametrize(
    "frame",
    [
        b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x3c\x00\xce",  # a delivery without a tag
        b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x3c\xce",  # blocked, and not why
        # a message that comes back, with the header of a class that there is not
        b"\x01\x00\x07\x00\x00\x00\x04\x00\x3c\x00\x32\xce\x02\x00\x07\x00\x00\x00\x0e\x0f\x0f" + bytes(12) + b"\xce",
    ],
)
def test_a_frame_that_cannot_be_read_ends_the_connection_as_one_that_is_lost(frame):
    wire = Wire.__new__(Wire)
    wire.takers, wire.confirmed = {1: lambda arguments, *_: tag_in(arguments)}, {}
    wire.blocked, wire.bytes_recv = None, 0
    whole = frame + b"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c" + bytes(12) + b"\xce"
    frames = Frames(whole)
    with pytest.raises(UnexpectedFrame, match="a frame that cannot be read"):
        wire.handle_read(frames, _deliveries_first(wire, lambda *_: None))


class Frames(_Inbox):
    """What has been read, all at once."""

    def __init__(self, data):
        self._data = data
