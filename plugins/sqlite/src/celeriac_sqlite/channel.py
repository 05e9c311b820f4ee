"""Kombu's channel: the plain API, for exchanges, consumers and everything that does not use the lanes."""

# Kombu's virtual transport, which is extended here, has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from queue import Empty
from typing import TYPE_CHECKING, Any, NamedTuple

from kombu.exceptions import ChannelError
from kombu.transport import virtual

from celeriac.contracts import OutgoingMessage, Settlements
from celeriac_sqlite.claims import Claims
from celeriac_sqlite.envelope import opened, priority_of
from celeriac_sqlite.routing import EXCHANGE_TYPES
from celeriac_sqlite.schema import TOPOLOGY
from celeriac_sqlite.topology import delete_queue, purge_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celeriac_sqlite.broker import SqliteTransport

#: Properties that Kombu adds to a message in memory and that are not part of it.
_IN_MEMORY = ("delivery_info", "delivery_tag", "body_encoding")


class DeclaredQueue(NamedTuple):
    """The answer to a declaration, in AMQP's order."""

    queue: str
    message_count: int
    consumer_count: int = 0


class SqliteQoS(virtual.QoS):
    """Settles in the file, at once, what a channel's consumers settle."""

    def ack(self, delivery_tag: Any, multiple: bool = False) -> None:
        """Acknowledge a message, or all up to it."""
        tags = [tag for tag in self._delivered if tag <= delivery_tag] if multiple else [delivery_tag]
        self.channel.settle(Settlements(ack=tags))
        self._forget(tags)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """Drop a message, or give it back to its queue, counted as a delivery."""
        self.channel.settle(Settlements(redeliver=[delivery_tag]) if requeue else Settlements(reject=[delivery_tag]))
        self._forget([delivery_tag])

    def restore_unacked(self) -> list[Any]:
        """Give everything back; nothing can be left over."""
        self._flush()
        tags = list(self._delivered)
        if tags:
            self.channel.settle(Settlements(redeliver=tags))
            self._forget(tags)
        return []

    def _forget(self, tags: list[Any]) -> None:
        for tag in tags:
            super().ack(tag)
        self.channel.consume_soon()  # there may be room for more now


class ResourceLocked(ChannelError):  # type: ignore[misc]  # the companion of Kombu that has it has no types
    """An exclusive queue belongs to another; the code is that of AMQP."""

    code = 405


class SqliteChannel(virtual.Channel):
    """A channel on the transport's connection to the file, with claims of its own."""

    QoS = SqliteQoS
    supports_fanout = True
    # The file has a column for bytes.
    body_encoding: Any = None
    # A process that ends without closing its channels is found dead, and its claims come back.
    do_restore = False

    connection: SqliteTransport

    def __init__(self, connection: SqliteTransport, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.claims = Claims(connection.database, [])
        self._database = connection.database
        self._topology = connection.topology
        self._without_ack: set[str] = set()
        self._auto_delete: set[str] = set()
        #: Queues that go when this process is taken for dead, as they were declared, with their bindings.
        self._exclusive: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {}
        self._exclusive_owner: int | None = None

    # -- exchanges --------------------------------------------------------------------------------

    def exchange_declare(
        self,
        exchange: str | None = None,
        type: str = "direct",
        durable: bool = False,
        auto_delete: bool = False,
        arguments: Any = None,
        nowait: bool = False,
        passive: bool = False,
    ) -> None:
        """Declare an exchange.  Raises ChannelError if it is of another type, or passive and not there."""
        kind = type or "direct"
        name = exchange or f"amq.{kind}"
        if kind not in EXCHANGE_TYPES:
            raise ChannelError(
                f"exchange {name!r} cannot be of type {kind!r}; SQLite files know {', '.join(sorted(EXCHANGE_TYPES))}",
                (40, 10),
                "Channel.exchange_declare",
                "503",
            )
        with self._database:
            found = self._topology.type_of(name)
            if found is None and not passive:
                self._topology.declare_exchange(name, kind)
        if found is None and passive:
            raise ChannelError(f"no exchange {name!r}", (40, 10), "Channel.exchange_declare", "404")
        if found not in {None, kind} and not passive:
            raise ChannelError(
                f"exchange {name!r} is of type {found!r}, not {kind!r}", (40, 10), "Channel.exchange_declare", "406"
            )

    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:
        with self._database:
            self._topology.delete_exchange(exchange)

    def get_exchanges(self) -> list[str]:
        return [name for (name,) in self._database.rows("SELECT name FROM exchange ORDER BY name")]

    # -- queues -----------------------------------------------------------------------------------

    def queue_declare(self, queue: str | None = None, passive: bool = False, **kwargs: Any) -> Any:
        """Declare a queue.

        Raises ChannelError if it is to be passive and is not there, or exclusive and another's.
        """
        name = queue or f"amq.gen-{self._next_delivery_tag()}"
        if passive and not self._has_queue(name):
            raise ChannelError(f"no queue {name!r}", (50, 10), "Channel.queue_declare", "404")
        if not passive:
            self._new_queue(name, **kwargs)
        return DeclaredQueue(name, self._size(name))

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        arguments = kwargs.get("arguments") or {}
        with self.claims:
            owner = self.claims.owner() if kwargs.get("exclusive") else None
            if owner is not None and self._topology.owner_of(queue) not in {None, owner}:
                raise ResourceLocked(
                    f"the exclusive queue {queue!r} belongs to another", (50, 10), "Channel.queue_declare", "405"
                )
            self._topology.declare_queue(queue, arguments, owner)
        if owner is not None:
            self._exclusive.setdefault(queue, (arguments, []))
            self._exclusive_owner = owner
        if kwargs.get("auto_delete"):
            self._auto_delete.add(queue)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return bool(
            self._database.rows(
                "SELECT EXISTS (SELECT 1 FROM queue WHERE name = ?) OR EXISTS (SELECT 1 FROM ready WHERE queue = ?)",
                (queue, queue),
            )[0][0]
        )

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> int | None:
        """Delete a queue; how many messages were ready, or None if it was to be empty and is not."""
        if if_empty and self._size(queue):
            return None
        self._exclusive.pop(queue, None)
        with self._database:
            return delete_queue(self._database, queue)

    def queue_purge(self, queue: str, **kwargs: Any) -> int:
        with self._database:
            return purge_queue(self._database, queue)

    def queue_bind(
        self, queue: str, exchange: str | None = None, routing_key: str = "", arguments: Any = None, **kwargs: Any
    ) -> None:
        name = exchange or "amq.direct"
        with self._database:
            if self._topology.type_of(name) is None:
                if not name.startswith("amq."):
                    raise ChannelError(f"no exchange {name!r}", (50, 20), "Channel.queue_bind", "404")
                self._topology.declare_exchange(name, name.removeprefix("amq."))
            self._topology.bind(queue, name, routing_key or "")
        if queue in self._exclusive:
            self._exclusive[queue][1].append((name, routing_key or ""))

    def queue_unbind(
        self, queue: str, exchange: str | None = None, routing_key: str = "", arguments: Any = None, **kwargs: Any
    ) -> None:
        with self._database:
            self._topology.unbind(queue, exchange or "amq.direct", routing_key or "")

    def list_bindings(self) -> Iterator[tuple[str, str, str]]:
        return iter(self._database.rows("SELECT queue, exchange, routing_key FROM binding"))

    def _size(self, queue: str) -> int:
        return int(self._database.rows("SELECT count(*) FROM ready WHERE queue = ?", (queue,))[0][0])

    def _lookup(self, exchange: str, routing_key: str, default: str | None = None) -> list[str]:
        with self._database as database:
            ((generation,),) = database.execute("SELECT value FROM sequence WHERE name = ?", (TOPOLOGY,))
            self._topology.refresh(generation)
            return list(self._topology.route(exchange, routing_key))

    # -- publishing -------------------------------------------------------------------------------

    def basic_publish(self, message: dict[str, Any], exchange: str, routing_key: str, **kwargs: Any) -> None:
        properties = {key: value for key, value in message["properties"].items() if key not in _IN_MEMORY}
        body = message["body"]
        outgoing = OutgoingMessage(
            body=_encoded(body, message["content-encoding"]) if isinstance(body, str) else bytes(body or b""),
            content_type=message["content-type"] or "",
            content_encoding=message["content-encoding"] or "",
            headers=message["headers"] or {},
            properties=properties,
            exchange=exchange or "",
            routing_key=routing_key or "",
        )
        self.connection.publisher.publish([outgoing])

    # -- consuming --------------------------------------------------------------------------------

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[[Any], Any], consumer_tag: str, **kwargs: Any
    ) -> None:
        (self._without_ack.add if no_ack else self._without_ack.discard)(queue)
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        self.consume_soon()

    def basic_cancel(self, consumer_tag: str) -> None:
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if queue in self._auto_delete and queue not in self._active_queues:
            self._auto_delete.discard(queue)
            self.queue_delete(queue)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        (self._without_ack.add if no_ack else self._without_ack.discard)(queue)
        return super().basic_get(queue, no_ack=no_ack, **kwargs)

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:
        self.qos.ack(delivery_tag, multiple)

    def consume_soon(self) -> None:
        """Have the transport look for messages, where an event loop drives it."""
        if self.connection is not None:
            self.connection.look_soon()

    def active_queues(self) -> list[str]:
        """The queues that have consumers here."""
        return list(self._active_queues)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        if not self.claims.waiting([queue]):
            raise Empty
        with self.claims:
            rows = self.claims.take(1, [queue])
            if rows and queue in self._without_ack:
                self.claims.settle(Settlements(ack=[rows[0][0]]))
        if not rows:
            raise Empty
        (found,) = opened(rows)
        return {
            "body": found.body,
            "content-type": found.content_type,
            "content-encoding": found.content_encoding,
            "headers": found.headers,
            "properties": {
                **found.properties,
                "delivery_tag": found.tag,
                "delivery_info": {
                    "exchange": found.exchange,
                    "routing_key": found.routing_key,
                    "priority": priority_of(found.properties),
                    "redelivered": found.redelivered,
                },
            },
        }

    def settle(self, batch: Settlements) -> None:
        """Carry out what consumers decided."""
        with self.claims:
            self.claims.settle(batch)
        if batch.redeliver:
            self.connection.bell.ring()

    def renew(self) -> None:
        """Extend the lease; where it has run out, have again the exclusive queues that went with it."""
        with self.claims:
            self.claims.renew()
            owner = self.claims.known_owner
            if self._exclusive and owner != self._exclusive_owner:
                self._exclusive_owner = owner
                for queue, (arguments, bindings) in self._exclusive.items():
                    self._topology.declare_queue(queue, arguments, owner)
                    for exchange, routing_key in bindings:
                        self._topology.bind(queue, exchange, routing_key)

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Cancel the consumers and give back what they have not settled, counted as delivered."""
        if not self.closed and self._database.usable:
            if self._qos is not None:
                self._qos.restore_unacked()
            if self.claims.known_owner is not None:
                with self.claims:
                    self.claims.release()
        elif not self._database.usable:
            self._auto_delete.clear()
        super().close()


def _encoded(body: str, encoding: str | None) -> bytes:
    try:
        return body.encode(encoding or "utf-8")
    except (LookupError, UnicodeEncodeError):  # "binary" and the like name no codec
        return body.encode("utf-8", "surrogatepass")
