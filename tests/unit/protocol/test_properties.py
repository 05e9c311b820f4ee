"""The properties of a task message."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac.exceptions import ProtocolError
from celeriac.protocol.properties import MAX_EXPIRATION_MS, build_properties, expiration


def test_a_bare_message_has_id_reply_queue_and_persistence() -> None:
    assert build_properties("id") == {"correlation_id": "id", "reply_to": "", "delivery_mode": 2}


def test_everything_given_is_in_its_place() -> None:
    assert build_properties(
        "id", "reply", 7, 60, 1, "application/json", "utf-8", message_id="m", MessageGroupId="g"
    ) == {
        "correlation_id": "id",
        "reply_to": "reply",
        "delivery_mode": 1,
        "priority": 7,
        "expiration": "60000",
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "message_id": "m",
        "MessageGroupId": "g",
    }


def test_priority_zero_is_a_priority() -> None:
    assert build_properties("id", priority=0)["priority"] == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(60, "60000"), (0.0015, "1"), (1.9999, "1999"), (0, "0"), (-5, "0"), (-math.inf, "0")]
)
def test_expiration_is_whole_milliseconds_as_text(seconds: Any, text: str) -> None:
    assert expiration(seconds) == text


@pytest.mark.parametrize("seconds", [MAX_EXPIRATION_MS / 1000 + 1, 1e300, math.inf, 10**400])
def test_an_expiration_that_brokers_refuse_is_left_out(seconds: Any) -> None:
    assert expiration(seconds) is None
    assert "expiration" not in build_properties("id", expires_seconds=seconds)


def test_the_longest_expiration_is_sent() -> None:
    assert expiration(MAX_EXPIRATION_MS // 1000) == "4294967000"


@pytest.mark.parametrize("seconds", [math.nan, "60", True, None, []])
def test_an_expiration_that_is_no_number_is_refused(seconds: Any) -> None:
    with pytest.raises(ProtocolError, match="expected a number of seconds"):
        expiration(seconds)


@given(st.floats(allow_nan=False) | st.integers())
def test_any_number_gives_a_small_whole_number_or_none(seconds: Any) -> None:
    text = expiration(seconds)
    assert text is None or 0 <= int(text) <= MAX_EXPIRATION_MS
