"""Whatever AMQP or a serializer puts into a header can travel to a child."""

from __future__ import annotations

import marshal
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.pools.plain import MAX_DEPTH, plain


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Headers(dict):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), "2030-01-02T03:04:05+00:00"),
        (date(2030, 1, 2), "2030-01-02"),
        (Decimal("1.50"), "1.50"),
        (Color.RED, "red"),
        (Level.LOW, 1),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (Headers(a=Headers(b=[Color.RED])), {"a": {"b": ["red"]}}),
        ({Color.RED: frozenset({1})}, {"red": (1,)}),
        (True, True),
    ],
)
def test_a_rich_value_becomes_plain(value, expected):
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


def test_what_is_nested_too_deeply_becomes_text():
    value = []
    for _ in range(MAX_DEPTH * 3):
        value = [value]
    assert marshal.loads(marshal.dumps(plain(value)))


RICH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes() | st.decimals(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers() | st.dates(), inner),
)


@given(RICH)
def test_everything_made_plain_can_be_marshalled_and_comes_back_the_same(value):
    made = plain(value)
    assert repr(marshal.loads(marshal.dumps(made))) == repr(made)
    assert repr(plain(made)) == repr(made)
