"""Texts in a queue that are no messages, or pieces of some: each stays by itself, and none touches another."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from celeriac.contracts import Settlements
from celeriac_redis.envelope import new_divider, parse_joined

ONE = {"body": "b25l", "headers": {}, "properties": {"body_encoding": "base64"}}
#: So many texts as there are values where they are joined by commas.
PIECES = [b'{"a":1},{"b":2}', b"[0", b"0]"]


def test_each_text_is_a_message_of_its_own():
    texts = [json.dumps({**ONE, "headers": {"id": number}}).encode() for number in range(20)]
    found = parse_joined(texts, new_divider(), 20)
    assert [message["headers"]["id"] for message in found] == list(range(20))
    assert parse_joined(texts[:1], new_divider(), 1) == [{**ONE, "headers": {"id": 0}}]


@pytest.mark.parametrize("texts", list(permutations([*PIECES, b"{}"])), ids=repr)
def test_pieces_are_not_taken_for_messages(texts):
    assert parse_joined(texts, new_divider(), 4) is None


@pytest.mark.parametrize(
    "texts",
    [[b"1,2"], [b"[1", b"2]"], [b'"', b'"'], [b"1,2", b"[3", b"4]"], [b""], [b"{}", b""], [b"//"], [b"[" * 100_000]],
)
def test_damaged_texts_are_told(texts):
    assert parse_joined(texts, new_divider(), len(texts)) is None


def test_pieces_in_a_queue_do_not_shift_the_messages_among_them(consume, producer, message, server, prefix, bodies):
    # Given a queue in which, joined by commas, there are as many values as texts; the oldest is at the right
    lane = consume()
    producer.publish([message("first"), message("second")])
    [second, first] = server.lrange(f"{prefix}tasks", 0, -1)
    server.delete(f"{prefix}tasks")
    server.lpush(f"{prefix}tasks", PIECES[0], first, PIECES[1], PIECES[2], second)

    # When all are claimed, and the damaged ones are refused
    found = []
    while len(found) < 5:
        found += lane.claim(10)
    assert bodies(found) == ["", "first", "", "", "second"]
    damaged = [delivery.tag for delivery in found if not delivery.body]
    lane.settle(Settlements(reject=damaged))

    # Then the messages that are still claimed are those that were not settled, and they alone are left for others
    assert {json.loads(note)[0]["body"] for note in server.hvals(f"{prefix}unacked")} == {
        json.loads(text)["body"] for text in (first, second)
    }
