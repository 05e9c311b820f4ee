"""orjson: whatever the value or the bytes, it means what the kernel's JSON means."""

from __future__ import annotations

import json as plain
import math
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils import json as kombu_json

from celeriac import Celery
from celeriac.exceptions import ProtocolError, SerializationError
from celeriac.protocol import json
from celeriac.testing.conformance import SerializerHarness, SerializerSuite
from celeriac_orjson.serializer import OrjsonSerializer

fast = OrjsonSerializer()


class TestConformance(SerializerSuite):
    def make_harness(self):
        return SerializerHarness("orjson")


def outcome(function, given):
    try:
        value = function(given)
    except (ProtocolError, SerializationError) as error:
        return type(error)
    return repr(value)


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Order:
    id: int


class Text(str):
    __slots__ = ()


Pair = namedtuple("Pair", "a b")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63 - 2, 2**64 + 2)
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]), max_size=2)
    | st.binary()
    | st.datetimes()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.sampled_from([Colour.RED, Level.HIGH, Text("x"), Pair(1, math.nan), {1}, 1j]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(values)
def test_what_it_writes_means_what_the_kernel_writes(value):
    def meaning(dumps):
        return lambda value: plain.loads(dumps(value))

    assert outcome(meaning(fast.dumps), value) == outcome(meaning(json.dumps), value)


@given(values)
def test_it_reads_what_kombu_writes_as_the_kernel_does(value):
    try:
        text = kombu_json.dumps(value).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError):
        return
    assert outcome(fast.loads, text) == outcome(json.loads, text)


@given(values)
def test_kombu_reads_what_it_writes(value):
    try:
        data = fast.dumps(value)
    except SerializationError:
        return
    if json.is_read_by_kombu(value):
        kombu_json.loads(data)


TEXTS = [
    b"NaN",
    b"[Infinity, -Infinity]",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"123456789012345678901234567890",
    b"1e400",
    b"-1e400",
    b"-0",
    b"-0.0",
    b"1E5",
    b"0.1234567890123456789012345",
    b'"\\ud800"',
    b'"\\ud83d\\ude00"',
    b'{"a": 1, "a": 2}',
    b" [1] ",
    b"\xef\xbb\xbf[]",
    b'"\x00"',
    b'"\\u0000"',
    b"[1,]",
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"",
    b"[" * 500 + b"]" * 500,
    b"[" * 501 + b"]" * 501,
    b"[" * 100_000,
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'{"__type__": "datetime", "__value__": "2030-01-01"}',
    b'{"__type__": "wombat", "__value__": 1}',
    b'{"\\u005f_type__": "datetime", "__value__": "2030-01-01"}',
    b"\x0c[]",
    b"/**/1",
]


@pytest.mark.parametrize("text", TEXTS)
def test_both_read_or_refuse_the_same(text):
    assert outcome(fast.loads, text) == outcome(json.loads, text)


@given(st.text(alphabet='[]{}":,\\u0d8 1-.eE_', max_size=60))
def test_both_read_or_refuse_the_same_of_any_text(text):
    assert outcome(fast.loads, text.encode()) == outcome(json.loads, text.encode())


def test_extended_types_come_back():
    value = [datetime(2030, 1, 1, tzinfo=UTC), Decimal("1.50"), UUID(int=7), b"\xff", {"nested": [Decimal(2)]}]
    assert fast.loads(fast.dumps(value)) == value


def test_the_error_is_that_of_the_kernel_and_names_the_place():
    with pytest.raises(SerializationError, match=r"^value\['x'\]\[1\]: object of type object"):
        fast.dumps({"x": [1, object()]})


def test_plain_data_is_left_to_orjson(monkeypatch):
    def slow(_):
        raise AssertionError("the kernel was asked")

    monkeypatch.setattr(json, "dumps", slow)
    monkeypatch.setattr(json, "loads", slow)
    body = [[1, -2.5, "grün"], {"k": None}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    assert fast.dumps(tuple(body)) == orjson.dumps(body)
    assert fast.loads(orjson.dumps(body)) == body


def test_too_long_a_text_is_refused_by_the_same_limit(monkeypatch):
    monkeypatch.setattr("celeriac_orjson.serializer.MAX_BYTES", 10)
    monkeypatch.setattr(json, "MAX_BYTES", 10)
    with pytest.raises(SerializationError, match="more than 10"):
        fast.dumps("x" * 20)
    with pytest.raises(ProtocolError, match="longer than"):
        fast.loads(b'"' + b"x" * 20 + b'"')


@pytest.mark.parametrize(("writer", "reader"), [("orjson", "json"), ("json", "orjson"), ("orjson", "orjson")])
def test_each_end_of_an_app_chooses_for_itself(writer, reader):
    with Celery("fast", set_as_current=False) as app:
        app.conf.update(task_serializer=writer, accept_content=[reader])
        kind, _, data = app.serializers.encode(["ü", Decimal(1)], writer)
        assert kind == "application/json"
        assert app.serializers.decode(data, kind) == ["ü", Decimal(1)]
        assert app.serializers.accepted[kind].name == reader
