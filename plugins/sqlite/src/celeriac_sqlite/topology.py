"""Exchanges, queues and bindings, as the file has them, and where they send a message."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kombu import Exchange

from celeriac_sqlite.routing import topic_matches
from celeriac_sqlite.schema import TOPOLOGY

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database


class Topology:
    """The file's exchanges, queues and bindings, kept in memory until another process changes them.

    Every method is called within a write transaction, so that what was looked up still holds when it is used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen = (-1, -1)
        self._types: dict[str, str] = {}
        self._bindings: dict[str, list[tuple[str, str]]] = {}
        self._routes: dict[tuple[str, str], tuple[str, ...]] = {}
        self._declared: set[str] = set()
        #: Seconds that messages live in those queues that have such a limit.
        self.ttls: dict[str, float] = {}

    # -- looking up -------------------------------------------------------------------------------

    def refresh(self, generation: int) -> None:
        """Read again what has changed since; `generation` is the counter's value now."""
        # What a transaction had declared before it was rolled back is not in the file.
        seen = (generation, self._database.rollbacks)
        if seen == self._seen:
            return
        execute = self._database.execute
        self._types = dict(execute("SELECT name, type FROM exchange").fetchall())
        self.ttls = dict(execute("SELECT name, ttl FROM queue WHERE ttl IS NOT NULL").fetchall())
        self._bindings = {}
        for exchange, routing_key, queue in execute("SELECT exchange, routing_key, queue FROM binding"):
            self._bindings.setdefault(exchange, []).append((routing_key, queue))
        self._routes = {}
        self._declared = set()
        self._seen = seen

    def route(self, exchange: str, routing_key: str) -> tuple[str, ...]:
        """The queues that a message goes to, each once."""
        if not exchange:
            return (routing_key,)
        wanted = (exchange, routing_key)
        found = self._routes.get(wanted)
        if found is None:
            if len(self._routes) > 10_000:  # keys made of ids would fill the memory
                self._routes.clear()
            found = self._routes[wanted] = self._look_up(exchange, routing_key)
        return found

    def _look_up(self, exchange: str, routing_key: str) -> tuple[str, ...]:
        bindings = self._bindings.get(exchange, [])
        kind = self._types.get(exchange)
        if kind == "fanout":
            found = [queue for _, queue in bindings]
        elif kind == "topic":
            found = [queue for pattern, queue in bindings if topic_matches(pattern, routing_key)]
        else:
            found = [queue for key, queue in bindings if key == routing_key]
        return tuple(dict.fromkeys(found))

    def type_of(self, exchange: str) -> str | None:
        """The type of an exchange, None where there is none of that name."""
        row = self._database.execute("SELECT type FROM exchange WHERE name = ?", (exchange,)).fetchone()
        return None if row is None else row[0]

    def owner_of(self, queue: str) -> int | None:
        """Whose exclusive queue it is, None where it is nobody's or is not there."""
        row = self._database.execute("SELECT owner FROM queue WHERE name = ?", (queue,)).fetchone()
        return None if row is None else row[0]

    # -- declaring --------------------------------------------------------------------------------

    def declare_once(self, queue: Any) -> None:
        """Declare a Kombu ``Queue`` unless that was done here and nothing has changed since."""
        if queue.name not in self._declared:
            self.declare(queue)
            self._declared.add(queue.name)

    def declare(self, queue: Any, owner: int | None = None) -> None:
        """Declare a Kombu ``Queue`` with its exchange and bindings, or an ``Exchange`` alone."""
        if isinstance(queue, Exchange):
            self.declare_exchange(queue.name, queue.type or "direct")
            return
        self.declare_queue(queue.name, queue_arguments(queue), owner if queue.exclusive else None)
        bindings = [(queue.exchange, queue.routing_key)] if queue.exchange is not None else []
        bindings += [(one.exchange, one.routing_key) for one in queue.bindings or ()]
        for exchange, routing_key in bindings:
            if exchange is not None and exchange.name:
                self.declare_exchange(exchange.name, exchange.type or "direct")
                self.bind(queue.name, exchange.name, routing_key or "")

    def declare_exchange(self, name: str, kind: str) -> None:
        """Make the exchange; one that exists keeps its type."""
        self._changed("INSERT INTO exchange VALUES (?, ?) ON CONFLICT DO NOTHING", (name, kind))

    def declare_queue(self, name: str, arguments: Mapping[str, Any], owner: int | None = None) -> None:
        """Make the queue, or note that it is in use; an exclusive one belongs to `owner`."""
        execute = self._database.execute
        if execute("UPDATE queue SET used = ? WHERE name = ?", (time.time(), name)).rowcount:
            return
        self._changed(
            "INSERT INTO queue (name, ttl, idle_limit, used, owner) VALUES (?, ?, ?, ?, ?)",
            (name, _seconds(arguments.get("x-message-ttl")), _seconds(arguments.get("x-expires")), time.time(), owner),
        )

    def bind(self, queue: str, exchange: str, routing_key: str) -> None:
        """Have messages of the exchange that match the key sent to the queue."""
        self._changed("INSERT INTO binding VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (exchange, routing_key, queue))

    # -- removing ---------------------------------------------------------------------------------

    def unbind(self, queue: str, exchange: str, routing_key: str) -> None:
        """Undo a binding."""
        self._changed(
            "DELETE FROM binding WHERE exchange = ? AND routing_key = ? AND queue = ?", (exchange, routing_key, queue)
        )

    def delete_exchange(self, name: str) -> None:
        """Delete the exchange and its bindings."""
        self._changed("DELETE FROM binding WHERE exchange = ?", (name,))
        self._changed("DELETE FROM exchange WHERE name = ?", (name,))

    def _changed(self, sql: str, parameters: tuple[Any, ...]) -> None:
        if self._database.execute(sql, parameters).rowcount > 0:
            (generation,) = self._database.next_ids(TOPOLOGY, 1)
            self.refresh(generation)


def queue_arguments(queue: Any) -> dict[str, Any]:
    """The arguments of a Kombu ``Queue`` that matter here, as AMQP names them; times in milliseconds."""
    arguments = dict(queue.queue_arguments or {})
    if queue.message_ttl is not None:
        arguments["x-message-ttl"] = queue.message_ttl * 1000
    if queue.expires is not None:
        arguments["x-expires"] = queue.expires * 1000
    return arguments


def delete_queue(database: Database, queue: str) -> int:
    """Delete a queue with its bindings and messages, claimed ones too; within a transaction.

    Returns how many messages were ready.
    """
    execute = database.execute
    # Not by message.queue, which has no index: a message is always in exactly one of these three.
    execute(
        "DELETE FROM message WHERE id IN (SELECT id FROM ready WHERE queue = ?"
        " UNION ALL SELECT id FROM delayed WHERE queue = ?"
        " UNION ALL SELECT c.id FROM claim c JOIN message m ON m.id = c.id WHERE m.queue = ?)",
        (queue, queue, queue),
    )
    execute("DELETE FROM claim WHERE id NOT IN (SELECT id FROM message)")
    ready = execute("DELETE FROM ready WHERE queue = ?", (queue,)).rowcount
    execute("DELETE FROM delayed WHERE queue = ?", (queue,))
    execute("DELETE FROM binding WHERE queue = ?", (queue,))
    execute("DELETE FROM queue WHERE name = ?", (queue,))
    database.next_ids(TOPOLOGY, 1)
    return ready


def purge_queue(database: Database, queue: str) -> int:
    """Delete the messages that wait in a queue, held back ones too; how many.  Within a transaction."""
    execute = database.execute
    execute(
        "DELETE FROM message WHERE id IN (SELECT id FROM ready WHERE queue = ?"
        " UNION ALL SELECT id FROM delayed WHERE queue = ?)",
        (queue, queue),
    )
    return sum(
        execute(f"DELETE FROM {table} WHERE queue = ?", (queue,)).rowcount  # noqa: S608  # two names of our own
        for table in ("ready", "delayed")
    )


def touch_queues(database: Database, queues: list[str]) -> None:
    """Note that these are in use, as far as any would be deleted otherwise."""
    now = time.time()
    stale = [
        queue
        for queue in set(queues)
        if database.rows("SELECT 1 FROM queue WHERE name = ? AND used + idle_limit / 3 < ?", (queue, now))
    ]
    if stale:
        with database:
            database.executemany("UPDATE queue SET used = ? WHERE name = ?", [(now, queue) for queue in stale])


def delete_idle_queues(database: Database) -> None:
    """Delete the queues that nobody has used for as long as their x-expires says.

    An exclusive one is in use as long as its owner lives, and goes with it.
    """
    condition = "FROM queue WHERE idle_limit IS NOT NULL AND owner IS NULL AND used + idle_limit < ?"
    if not database.rows(f"SELECT 1 {condition} LIMIT 1", (time.time(),)):
        return
    with database:
        for (name,) in database.rows(f"SELECT name {condition}", (time.time(),)):
            delete_queue(database, name)


def _seconds(milliseconds: Any) -> float | None:
    return None if milliseconds is None else float(milliseconds) / 1000
