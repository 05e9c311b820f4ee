"""Putting messages into the file."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celeriac.contracts import ONCE_SECONDS
from celeriac.protocol.properties import TRANSIENT
from celeriac_sqlite.envelope import Envelope, seal
from celeriac_sqlite.primitives import take_once
from celeriac_sqlite.schema import MESSAGES, TOPOLOGY
from celeriac_sqlite.wake import Bell

if TYPE_CHECKING:
    from celeriac.contracts import OutgoingMessage
    from celeriac_sqlite.database import Database
    from celeriac_sqlite.topology import Topology

logger = logging.getLogger("celeriac.sqlite")

_INSERT_MESSAGE = (
    "INSERT INTO message (id, queue, rank, expires, headers, properties, body, content_type, content_encoding,"
    " exchange, routing_key, sent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_READY = "INSERT INTO ready (queue, rank, id, deliveries) VALUES (?, ?, ?, 0)"
_INSERT_DELAYED = "INSERT INTO delayed (queue, eta, id, rank, deliveries) VALUES (?, ?, ?, ?, 0)"


class Publisher:
    """Encodes, routes and stores messages, all of one call in one transaction, then wakes who waits for them."""

    def __init__(self, database: Database, topology: Topology) -> None:
        self._database = database
        self._topology = topology
        self._bell = Bell(database.path, "w")
        self._unroutable: set[tuple[str, str]] = set()

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Store all messages in order, or none.  Raises StorageError, and SerializationError for bad headers."""
        if not messages:
            return
        sealed = [seal(message) for message in messages]  # before the lock is taken
        now = time.time()
        rows: list[tuple[Any, ...]] = []
        ready: list[tuple[Any, ...]] = []
        delayed: list[tuple[Any, ...]] = []
        database = self._database
        with database:
            counters: dict[str, int] = dict(database.execute("SELECT name, value FROM sequence").fetchall())
            self._topology.refresh(counters[TOPOLOGY])
            id_ = counters[MESSAGES]
            for message, envelope in zip(messages, sealed, strict=True):
                if message.once and not take_once(database, message.properties["correlation_id"], ONCE_SECONDS):
                    continue
                eta = message.eta
                for queue in self._queues(message):
                    id_ += 1
                    ttl = self._topology.ttls.get(queue)
                    rows.append((id_, queue, *(envelope if ttl is None else _living(envelope, now + ttl)), now))
                    if eta is not None and eta > now:
                        delayed.append((queue, eta, id_, envelope.rank))
                    else:
                        ready.append((queue, envelope.rank, id_))
            if not rows:
                return
            database.executemany(_INSERT_MESSAGE, rows)
            if ready:
                database.executemany(_INSERT_READY, ready)
            if delayed:
                database.executemany(_INSERT_DELAYED, delayed)
            database.execute("UPDATE sequence SET value = ? WHERE name = ?", (id_, MESSAGES))
        self._bell.ring()

    def _queues(self, message: OutgoingMessage) -> tuple[str, ...]:
        queue = message.queue
        if queue is not None:
            self._topology.declare_once(queue)
        found = self._topology.route(message.exchange, message.routing_key)
        if not found and (message.exchange, message.routing_key) not in self._unroutable:
            self._unroutable.add((message.exchange, message.routing_key))
            # Messages that may be lost, as events may, and broadcasts are sent whether anybody listens or not.
            is_lossy = message.properties.get("delivery_mode") == TRANSIENT
            is_broadcast = self._topology.type_of(message.exchange) == "fanout"
            logger.log(
                logging.DEBUG if is_lossy or is_broadcast else logging.WARNING,
                "messages to exchange %r with routing key %r are dropped, because no queue is bound for them",
                message.exchange,
                message.routing_key,
            )
        return found

    def close(self) -> None:
        """Release what wakes others; the database is the caller's."""
        self._bell.close()


def _living(envelope: Envelope, until: float) -> Envelope:
    return envelope._replace(expires=until if envelope.expires is None else min(envelope.expires, until))
