"""A message as Kombu writes it to Redis, and back."""

from __future__ import annotations

import json
import math
import time
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from os import urandom
from secrets import randbits
from typing import Any, Final
from uuid import UUID

from celeriac.contracts import Delivery, OutgoingMessage
from celeriac.exceptions import ProtocolError
from celeriac.protocol.json import dumps, loads

#: What plain JSON cannot hold is marked so; see `celeriac.protocol.json`.
_EXTENDED: Final = b'"__type__"'
#: Our own: when a message is due that does not say so in its headers.
_DUE: Final = "celeriac_eta"
_COUNT: Final = "delivery_count"
#: Properties that say how the message is written, and not what it is.
_ADDED: Final = frozenset({"body_encoding", "delivery_info", "delivery_tag"})

#: The digit that says "variant 1", by the random one in its place: it keeps two bits of that.
_VARIANTS: Final = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}

#: So many are as good as unknown, and are one word for whoever reads JSON.
_DIVIDER_BITS: Final = 62

_nothing: Final[dict[str, Any]] = {}


def seal(message: OutgoingMessage) -> bytes:
    """The JSON text of one message.  Raises SerializationError for headers and properties that JSON cannot hold."""
    given = message.properties
    properties = {**given, "priority": given.get("priority") or 0}
    if not _ADDED.isdisjoint(given):
        for name in _ADDED:
            properties.pop(name, None)
    if message.eta is not None and not message.headers.get("eta"):
        properties[_DUE] = message.eta
    # What most messages have in common is not written anew for each; `properties` are never empty, hence the comma.
    return b'{"body":"%b",%b%b,%b,"delivery_tag":"%b"}}' % (
        b2a_base64(message.body, newline=False),
        _content_text(message.content_encoding, message.content_type),
        dumps({"headers": message.headers, "properties": properties})[1:-2],
        _delivery_text(message.exchange, message.routing_key),
        dated_tag().encode("ascii"),
    )


@lru_cache(maxsize=128)
def _content_text(encoding: str, kind: str) -> bytes:
    return dumps({"content-encoding": encoding, "content-type": kind})[1:-1] + b","


@lru_cache(maxsize=1024)
def _delivery_text(exchange: str, routing_key: str) -> bytes:
    info = {"exchange": exchange, "routing_key": routing_key}
    return dumps({"delivery_info": info, "body_encoding": "base64"})[1:-1]


def new_divider() -> bytes:
    """What stands between two messages that are read at once: a number that no sender knows."""
    return b",%d," % randbits(_DIVIDER_BITS)


def parse_joined(portions: Iterable[bytes], divider: bytes, count: int) -> list[Any] | None:
    """The messages of `portions`, with `divider` between two, or None where they are not `count`: one is damaged.

    One may be the text of two, and two that of one: only where the dividers are in their places is each a message.
    """
    joined = b"[%b]" % divider.join(portions)
    if _EXTENDED in joined:
        return None
    try:
        # One call for all: it shares the strings of equal keys, and each call has its price.
        found = json.loads(joined)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or len(found) != 2 * count - 1 or found[1::2] != [int(divider[1:-1])] * (count - 1):
        return None
    return found[::2]


def parse_note(note: bytes) -> Any:
    """The message in the note of a claim, None where it cannot be read."""
    try:
        message, _, _ = loads(note)
    except (ProtocolError, ValueError, TypeError):
        return None
    return message


def opened(tag: int, queue: str, message: Any) -> Delivery:
    """The delivery of one message, which is not to be used for anything else after this.

    What cannot be read is handed out empty: the worker has a way with messages of which nothing can be made.
    """
    if not isinstance(message, dict):
        message = {}
    get = message.get
    headers, properties = get("headers"), get("properties")
    if not isinstance(headers, dict):
        headers = {}
    if not isinstance(properties, dict):
        properties = {}
    take = properties.pop
    info = take("delivery_info", None)
    if not isinstance(info, dict):
        info = _nothing
    take("delivery_tag", None)
    take(_DUE, None)
    body = get("body")
    if not isinstance(body, str):
        body = b""
    elif take("body_encoding", None) == "base64":
        try:
            body = a2b_base64(body)
        except ValueError:
            body = b""
    else:
        body = body.encode("utf-8", "surrogatepass")
    redelivered = bool(info.get("redelivered"))
    return Delivery(
        tag,
        queue,
        headers,
        properties,
        body,
        _text(get("content-type")),
        _text(get("content-encoding")),
        _text(info.get("exchange")),
        _text(info.get("routing_key")) or queue,
        redelivered,
        max(_earlier(info), redelivered) + 1,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _earlier(info: dict[str, Any]) -> int:
    """How often a message was delivered before; a Celery worker does not count."""
    earlier = info.get(_COUNT, 0)
    return earlier if isinstance(earlier, int) else 0


def due_of(message: Any) -> float | None:
    """When a message is due, in seconds since the epoch.

    None for one that does not say so, or not in a way that is understood without knowing the sender's time zone.
    """
    try:
        due = message["headers"].get("eta") or message["properties"].get(_DUE)
        if due is None:
            return None
        if isinstance(due, int | float):
            seconds = float(due)
            return seconds if math.isfinite(seconds) else None
        moment = due if isinstance(due, datetime) else datetime.fromisoformat(due)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return None


def dated_tag() -> str:
    """A UUID of version 7: as unique as Kombu's own tags, and it tells when it was made."""
    moment, digits = f"{time.time_ns() // 1_000_000:012x}", urandom(10).hex()
    return f"{moment[:8]}-{moment[8:]}-7{digits[:3]}-{_VARIANTS[digits[3]]}{digits[4:7]}-{digits[7:19]}"


def sent_of(text: bytes) -> float | None:
    """When the message of this text was sent, in seconds since the epoch; Celery's messages do not say: None."""
    try:
        tag = UUID(json.loads(text)["properties"]["delivery_tag"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (tag.int >> 80) / 1000 if tag.version == 7 else None


def priority_of(message: Any) -> Any:
    """The priority that a message states."""
    try:
        return message["properties"].get("priority")
    except (KeyError, TypeError, AttributeError):
        return None


def redelivered(note: bytes) -> tuple[Any, str, str]:
    """The message of a note, marked and counted as delivered, with the exchange and routing key of the note.

    Raises ValueError for a note that cannot be read.
    """
    try:
        message, exchange, routing_key = json.loads(note)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    if isinstance(message, dict):
        properties = message.get("properties")
        info = properties.setdefault("delivery_info", {}) if isinstance(properties, dict) else None
        if isinstance(info, dict):
            earlier = max(_earlier(info), bool(info.get("redelivered")))
            info.update(redelivered=True, **{_COUNT: earlier + 1})
        if isinstance(message.get("headers"), dict):
            message["headers"]["redelivered"] = True
    return message, str(exchange or ""), str(routing_key or "")


def written(message: Any) -> str:
    """A message that was read, as JSON text again."""
    return json.dumps(message)


def runs_of(numbers: Sequence[int]) -> str:
    """Numbers as runs (``1-5,9-9``): claims are numbered in order, and mostly settled in order."""
    runs: list[str] = []
    first = last = None
    for number in sorted(numbers):
        if last is None or first is None:
            first = last = number
        elif number == last + 1:
            last = number
        else:
            runs.append(f"{first}-{last}")
            first = last = number
    if last is not None:
        runs.append(f"{first}-{last}")
    return ",".join(runs)
