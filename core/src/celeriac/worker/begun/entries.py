"""Messages as they are written into a journal: a line of JSON for all of a batch, then their bodies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

from celeriac.contracts.broker import Delivery
from celeriac.protocol.json import encoder_of

#: In the order in which they are written; the length of the body follows.
_FIELDS: Final = ("queue", "headers", "properties", "content_type", "content_encoding", "exchange", "routing_key")
_TYPES: Final = (str, dict, dict, str, str, str, str, int)
#: What a header may hold that JSON has no word for is written as text.
_dumps: Final = encoder_of(str, skip_keys=True)

assert Delivery._fields[1:5:3] == ("queue", "body")


def written(deliveries: Sequence[Delivery]) -> tuple[bytes, list[bytes]]:
    """What is said of these messages, and their bodies."""
    try:
        return _encoded(deliveries)
    except (ValueError, TypeError, RecursionError):
        # One of them is at fault: of those the headers are left out that only their tasks would read.
        return _encoded([_plain(delivery) for delivery in deliveries])


def _encoded(deliveries: Iterable[Delivery]) -> tuple[bytes, list[bytes]]:
    said, bodies = [], []
    for _, queue, headers, properties, body, kind, encoding, exchange, routing_key, _, _ in deliveries:
        said.append((queue, headers, properties, kind, encoding, exchange, routing_key, len(body)))
        bodies.append(body)
    return _dumps(said).encode(), bodies


def _plain(delivery: Delivery) -> Delivery:
    try:
        _dumps((delivery.headers, delivery.properties))
    except (ValueError, TypeError, RecursionError):
        known, told = _scalars(delivery.headers), _scalars(delivery.properties)
        return delivery._replace(headers=known, properties=told)
    return delivery


def _scalars(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if isinstance(value, str | int | float | None)}


def without_bodies(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """The same messages, of which only headers are known."""
    return [delivery._replace(body=b"") for delivery in deliveries]


def read(said: bytes, bodies: bytes, count: int) -> list[Delivery]:
    """The messages that `written` has written, without tags.  Raises ValueError for anything else."""
    try:
        listed = json.loads(said)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(listed, list) or len(listed) != count or not all(map(_is_entry, listed)):
        raise ValueError("these are no messages")
    ends = [0]
    for entry in listed:
        ends.append(ends[-1] + entry[-1])
    if ends[-1] != len(bodies):
        raise ValueError("the bodies are not as long as they should be")
    return [
        Delivery(
            None, **dict(zip(_FIELDS, entry, strict=False)), body=bodies[start:end], redelivered=False, delivery_count=0
        )
        for entry, (start, end) in zip(listed, pairwise(ends), strict=True)
    ]


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == len(_TYPES)
        and all(map(isinstance, entry, _TYPES))
        and type(entry[-1]) is int
        and entry[-1] >= 0
    )
