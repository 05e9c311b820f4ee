"""Plain Kombu on the in-memory broker: channels over the queues that the lanes use, and the routing of both."""

# Kombu's virtual transport, which is extended here, has no annotations.
# mypy: allow-untyped-calls
from __future__ import annotations

from queue import Empty
from typing import TYPE_CHECKING, Any, Final

from kombu.transport import virtual

from celeriac_memory.queues import Entry

if TYPE_CHECKING:
    from celeriac_memory.store import MessageStore

#: What Kombu's virtual channels add to the properties on the way, and what therefore is not the sender's.
_CHANNEL_PROPERTIES: Final = frozenset({"body_encoding", "delivery_info", "delivery_tag"})


class MemoryMessage(virtual.Message):
    """A message that knows its entry, so that giving it back means giving back that."""

    def __init__(self, payload: dict[str, Any], channel: Any = None, **kwargs: Any) -> None:
        super().__init__(payload, channel=channel, **kwargs)
        self.entry: Entry = payload["entry"]


class Channel(virtual.Channel):
    """Plain Kombu on the same queues that the lanes use."""

    Message = MemoryMessage
    supports_fanout = True

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        self.store: MessageStore = connection.store
        super().__init__(connection, **kwargs)
        self.store.holders.add(self)

    def held(self) -> list[Entry]:
        """What was delivered and is neither acknowledged nor given back."""
        delivered, settled = self.qos._delivered, self.qos._dirty
        return [message.entry for tag, message in list(delivered.items()) if tag not in settled]

    def encode_body(self, body: Any, encoding: str | None = None) -> tuple[Any, str | None]:
        """As it is: nothing leaves the process."""
        return body, None

    # -- routing ------------------------------------------------------------------------------------------------------

    def route(self, exchange: str, routing_key: str) -> list[str]:
        """The names of the queues that a message goes to."""
        if not exchange:
            return [routing_key]
        with self.store.lock:
            if exchange not in self.state.exchanges:
                return []
            table = self.get_table(exchange)
            return sorted(self.typeof(exchange).lookup(table, exchange, routing_key, None))

    def must_route(self, exchange: str) -> bool:
        """True where a message that reaches no queue is a mistake: not where it is a broadcast or a topic."""
        with self.store.lock:
            found = self.state.exchanges.get(exchange)
        return found is None or found["type"] == "direct"

    def dead_letter(self, entry: Entry) -> None:
        """Send a rejected entry where its queue's ``x-dead-letter-exchange`` says; drop it where that is not set."""
        queue = self.store.find(entry.queue)
        arguments = queue.arguments if queue else {}
        exchange = arguments.get("x-dead-letter-exchange")
        if exchange is None:
            return
        routing_key = arguments.get("x-dead-letter-routing-key") or entry.routing_key
        self.store.put([self._copy(entry, name, exchange, routing_key) for name in self.route(exchange, routing_key)])

    def _copy(self, entry: Entry, queue: str, exchange: str, routing_key: str) -> Entry:
        return Entry(
            queue,
            self.store.rank(entry.properties),
            entry.body,
            entry.content_type,
            entry.content_encoding,
            entry.headers,
            entry.properties,
            exchange,
            routing_key,
        )

    # -- what Kombu's virtual channel asks for ------------------------------------------------------------------------

    def _new_queue(self, queue: str, arguments: Any = None, auto_delete: bool = False, **_: Any) -> None:
        self.store.declare(queue, arguments, auto_delete)

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return self.store.find(queue) is not None

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        properties = message["properties"]
        info = properties["delivery_info"]
        body = message["body"]
        entry = Entry(
            queue,
            self.store.rank(properties),
            body.encode() if isinstance(body, str) else body,
            message["content-type"],
            message["content-encoding"],
            dict(message["headers"]),
            {key: value for key, value in properties.items() if key not in _CHANNEL_PROPERTIES},
            info["exchange"],
            info["routing_key"],
        )
        self.store.put([entry])

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str = "", **_: Any) -> None:
        for queue in self.route(exchange, routing_key):
            self._put(queue, message)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        taken = self.store.take((queue,), 1)
        if not taken:
            raise Empty
        entry = taken[0]
        return {
            "entry": entry,
            "body": entry.body,
            "content-type": entry.content_type,
            "content-encoding": entry.content_encoding,
            "headers": dict(entry.headers),
            "properties": {
                **entry.properties,
                "delivery_tag": self._next_delivery_tag(),
                "delivery_info": {
                    "exchange": entry.exchange,
                    "routing_key": entry.routing_key,
                    "redelivered": entry.deliveries > 1,
                },
            },
        }

    def _restore(self, message: MemoryMessage) -> None:
        if self.store.is_here:  # a forked child closes its copy of the channel and has nothing to give back
            self.store.give_back([message.entry], counted=True)

    def _size(self, queue: str) -> int:
        return self.store.depth(queue)

    def _purge(self, queue: str) -> int:
        return self.store.purge(queue)

    def _queue_bind(self, *_: Any) -> None:
        """Bindings are in the topology, which every channel shares."""

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> None:
        with self.store.lock:
            found = self.store.find(queue)
            if found is None or (if_unused and found.consumers) or (if_empty and self._size(queue)):
                return
            for exchange, routing_key, arguments in list(self.state.queue_bindings(queue)):
                self.queue_unbind(queue, exchange, routing_key, arguments)
            self.state.queue_bindings_delete(queue)
            self.store.delete(queue)

    def exchange_declare(self, *args: Any, **kwargs: Any) -> None:
        with self.store.lock:
            super().exchange_declare(*args, **kwargs)

    def queue_bind(self, *args: Any, **kwargs: Any) -> None:
        with self.store.lock:
            super().queue_bind(*args, **kwargs)

    def queue_unbind(self, *args: Any, **kwargs: Any) -> None:
        with self.store.lock:
            super().queue_unbind(*args, **kwargs)

    # -- consuming ----------------------------------------------------------------------------------------------------

    def basic_consume(self, queue: str, *args: Any, **kwargs: Any) -> None:
        super().basic_consume(queue, *args, **kwargs)
        with self.store.lock:
            if (found := self.store.find(queue)) is not None:
                found.consumers += 1
        self.connection.ring()  # what is there already counts as arrived

    def basic_cancel(self, consumer_tag: str) -> None:
        name = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if name is None or not self.store.is_here:
            return
        with self.store.lock:
            if (found := self.store.find(name)) is not None:
                found.consumers -= 1
                if found.auto_delete and found.consumers <= 0:
                    self.queue_delete(name)

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        super().basic_ack(delivery_tag, multiple)
        self._made_room()

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not requeue:
            self.dead_letter(self.qos.get(delivery_tag).entry)
        super().basic_reject(delivery_tag, requeue)
        self._made_room()

    def _made_room(self) -> None:
        """The prefetch limit may have kept a message waiting."""
        if self.connection is not None:
            self.connection.ring()
