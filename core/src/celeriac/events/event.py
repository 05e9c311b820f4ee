"""One event as it is on the wire, and the exchange that carries it."""

from __future__ import annotations

import time
from copy import copy
from functools import lru_cache
from typing import Any, Final

from kombu import Exchange

__all__ = [
    "EVENT_EXCHANGE_NAME",
    "Event",
    "can_fan_out",
    "event_exchange",
    "get_exchange",
    "group_from",
    "routing_key_of",
    "utcoffset",
]

EVENT_EXCHANGE_NAME: Final = "celeryev"

#: The exchange of events, as it is on most transports.
event_exchange: Final = Exchange(EVENT_EXCHANGE_NAME, type="topic")

#: Transports on which everyone expects the exchange to be of the type fanout.
_FANOUT_DRIVERS: Final = frozenset({"redis", "gcpubsub"})
#: Transports on which nobody sends events, because nothing would take away what no receiver has read.
_SILENT_DRIVERS: Final = frozenset({"sql"})


def Event(type: str, _fields: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The map of one event; it is of now (seconds since the epoch) unless the fields have a `timestamp`."""
    return {"timestamp": time.time(), **(_fields or {}), **fields, "type": type}


@lru_cache(maxsize=256)
def group_from(type: str) -> str:
    """The group of an event type, which is its first word: ``task`` for ``task-sent``."""
    return type.partition("-")[0]


@lru_cache(maxsize=256)
def routing_key_of(type: str) -> str:
    """The routing key of an event type: ``task.sent`` for ``task-sent``."""
    return type.replace("-", ".")


def utcoffset() -> int:
    """Whole hours from local time to UTC, west positive, as events state them."""
    return -time.localtime().tm_gmtoff // 3600


def get_exchange(conn: Any, name: str = EVENT_EXCHANGE_NAME) -> Exchange:
    """The exchange of events on this Kombu connection; it connects nowhere."""
    exchange = copy(event_exchange)
    exchange.name = name
    if conn.transport.driver_type in _FANOUT_DRIVERS:
        exchange.type = "fanout"
    return exchange


def can_fan_out(conn: Any) -> bool:
    """Whether the transport of this Kombu connection can carry one event to many receivers."""
    transport = conn.transport
    return transport.driver_type not in _SILENT_DRIVERS and "fanout" in transport.implements.exchange_type
