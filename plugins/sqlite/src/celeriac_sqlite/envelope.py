"""A message as the file keeps it, and back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from json import JSONDecoder
from typing import Any, Final, NamedTuple

from celeriac.contracts import Delivery, OutgoingMessage
from celeriac.exceptions import ProtocolError
from celeriac.protocol.json import dumps, loads

#: What plain JSON cannot hold is marked so; see `celeriac.protocol.json`.
_EXTENDED: Final = '"__type__"'
_plain: Final = JSONDecoder().decode

LOWEST_PRIORITY: Final = 0
HIGHEST_PRIORITY: Final = 9


class Envelope(NamedTuple):
    """What is written of one message, whatever queues it goes to."""

    rank: int
    expires: float | None
    headers: str
    properties: str
    body: bytes
    content_type: str
    content_encoding: str
    exchange: str
    routing_key: str


#: The columns of a row from which a `Delivery` is made.
COLUMNS: Final = (
    "m.id, m.queue, m.headers, m.properties, m.body, m.content_type, m.content_encoding, m.exchange, m.routing_key"
)


def seal(message: OutgoingMessage) -> Envelope:
    """Encode one message.  Raises SerializationError for headers and properties that JSON cannot hold."""
    headers, properties = message.headers, message.properties
    return Envelope(
        HIGHEST_PRIORITY - priority_of(properties),
        _expires(headers, properties),
        dumps(headers).decode("ascii"),
        dumps(properties).decode("ascii"),
        message.body,
        message.content_type,
        message.content_encoding,
        message.exchange,
        message.routing_key,
    )


def priority_of(properties: dict[str, Any]) -> int:
    """The priority of a message, 0 to 9; higher is more urgent, as in AMQP."""
    priority = properties.get("priority")
    if not priority:
        return LOWEST_PRIORITY
    try:
        return min(max(int(priority), LOWEST_PRIORITY), HIGHEST_PRIORITY)
    except (TypeError, ValueError):
        return LOWEST_PRIORITY


def _expires(headers: dict[str, Any], properties: dict[str, Any]) -> float | None:
    """When the broker drops the message, in seconds since the epoch."""
    expiration = properties.get("expiration")
    # A task that has expired is the worker's to report; dropped here, nobody would hear of it.
    if expiration is None or (headers.get("expires") is not None and "task" in headers):
        return None
    try:
        return time.time() + float(expiration) / 1000
    except (TypeError, ValueError):
        return None


def opened(rows: Sequence[tuple[Any, ...]]) -> list[Delivery]:
    """Deliveries from rows of `COLUMNS` and the number of earlier deliveries."""
    maps = _decoded([text for row in rows for text in (row[2], row[3])])
    return [
        Delivery(id_, queue, headers, properties, body, kind, encoding, exchange, key, earlier > 0, earlier + 1)
        for (id_, queue, _, _, body, kind, encoding, exchange, key, earlier), headers, properties in zip(
            rows, maps[::2], maps[1::2], strict=True
        )
    ]


def _decoded(texts: list[str]) -> list[dict[str, Any]]:
    # One call for all: it shares the strings of equal keys, and each call has its price.
    joined = f"[{','.join(texts)}]"
    if _EXTENDED not in joined:
        with suppress(ValueError, RecursionError):  # one is damaged
            found: list[dict[str, Any]] = _plain(joined)
            if len(found) == len(texts) and set(map(type, found)) == {dict}:
                return found
    return [_decoded_alone(text) for text in texts]


def _decoded_alone(text: str) -> dict[str, Any]:
    try:
        found = loads(text)
    except ProtocolError:  # handed out empty: the worker has a way with messages that it cannot read
        return {}
    return found if isinstance(found, dict) else {}
