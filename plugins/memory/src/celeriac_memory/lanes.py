"""The native lanes of the in-memory broker: what the kernel asks of a broker, in its shortest form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from kombu.exceptions import OperationalError
from kombu.transport.virtual import NotEquivalentError

from celeriac.contracts import (
    ONCE_SECONDS,
    ConsumerLane,
    Delivery,
    EventLoop,
    LaneCapabilities,
    OutgoingMessage,
    ProducerLane,
    Settlements,
)
from celeriac_memory.alarm import Alarm
from celeriac_memory.bell import Bell
from celeriac_memory.queues import Entry

if TYPE_CHECKING:
    from kombu import Connection

    from celeriac_memory.channel import Channel
    from celeriac_memory.store import MessageStore


class MemoryProducerLane(ProducerLane):
    """Routes all messages of a batch, then puts them into their queues at once: all or nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Channel = connection.channel()
        self._store: MessageStore = self._channel.store
        self._declared: set[str] = set()

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        routed = [(message, self._queues_of(message)) for message in messages]
        with self._store.lock:
            new = [each for each in routed if not each[0].once or self._is_first(each[0])]
            self._store.put([self._entry(message, queue) for message, queues in new for queue in queues])

    def close(self) -> None:
        self._connection.release()

    def _is_first(self, message: OutgoingMessage) -> bool:
        return self._store.take_once(message.properties["correlation_id"], ONCE_SECONDS)

    def _queues_of(self, message: OutgoingMessage) -> list[str]:
        if message.queue is not None and message.queue.name not in self._declared:
            declare(self._channel, [message.queue])
            self._declared.add(message.queue.name)
        queues = self._channel.route(message.exchange, message.routing_key)
        if not queues and self._channel.must_route(message.exchange):
            raise OperationalError(
                f"no queue is bound to the exchange {message.exchange!r} with the routing key "
                f"{message.routing_key!r}; declare one (task_queues) or send to a queue by its name"
            )
        return queues

    def _entry(self, message: OutgoingMessage, queue: str) -> Entry:
        return Entry(
            queue,
            self._store.rank(message.properties),
            message.body,
            message.content_type,
            message.content_encoding,
            dict(message.headers),
            dict(message.properties),
            message.exchange,
            message.routing_key,
            message.eta,
        )


class MemoryConsumerLane(ConsumerLane):
    """Claims are kept here, in the lane; what it holds when it is closed goes back to the queue."""

    capabilities = (
        LaneCapabilities.CLAIM_MANY
        | LaneCapabilities.SETTLE_MANY
        | LaneCapabilities.NATIVE_DELAY
        | LaneCapabilities.DELIVERY_COUNT
        | LaneCapabilities.BEGIN_TRACE
        | LaneCapabilities.GIVE_BACK
        | LaneCapabilities.QUEUE_DEPTH
        | LaneCapabilities.PRIORITY
        | LaneCapabilities.CHANGE_QUEUES
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Channel = connection.channel()
        self._store: MessageStore = self._channel.store
        self._bell = Bell()
        self._tags = count(1)
        self._claims: dict[int, Entry] = {}
        self._begun: set[int] = set()
        self._names: tuple[str, ...] = ()
        self._loop: EventLoop | None = None
        self._on_ready: Callable[[], None] | None = None
        self._alarm: Alarm | None = None
        self._store.holders.add(self)

    def held(self) -> list[Entry]:
        """What is claimed and not settled."""
        return list(self._claims.values())

    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        declare(self._channel, queues)
        self._loop, self._on_ready = loop, on_ready
        self._alarm = Alarm(loop, self._look)
        loop.add_reader(self._bell.fileno(), self._heard)
        self._listen_to([queue.name for queue in queues])

    def add_queue(self, queue: Any) -> None:
        declare(self._channel, [queue])
        self._listen_to([*self._names, queue.name])

    def remove_queue(self, name: str) -> None:
        self._listen_to([one for one in self._names if one != name])

    def _listen_to(self, names: Iterable[str]) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._store.listen(self._bell.ring, frozenset(self._names))
        self._bell.ring()

    def claim(self, limit: int) -> list[Delivery]:
        return [self._deliver(entry) for entry in self._store.take(self._names, limit)]

    def settle(self, batch: Settlements) -> None:
        self._begun.update(tag for tag in batch.begin if tag in self._claims)
        self._take(batch.ack)
        for entry in self._take(batch.reject):
            self._channel.dead_letter(entry)
        self._store.give_back(self._take(batch.requeue), counted=False)
        self._store.give_back(self._take(batch.redeliver), counted=True)

    def lost(self) -> list[Delivery]:
        found = [self._deliver(entry) for entry in self._store.take_lost(self._names)]
        self._begun.update(delivery.tag for delivery in found)
        return found

    def depth(self, queue: str) -> int | None:
        return self._store.depth(queue)

    def close(self) -> None:
        self._store.forget(self._bell.ring)
        if self._loop is not None and self._alarm is not None:
            self._loop.remove_reader(self._bell.fileno())
            self._alarm.cancel()
            self._loop = self._alarm = None
        self._bell.close()
        if self._store.is_here:
            self._store.leave(self._take(list(self._begun)))
            self._store.give_back(self._take(list(self._claims)), counted=False)
        self._connection.release()

    def _deliver(self, entry: Entry) -> Delivery:
        tag = next(self._tags)
        self._claims[tag] = entry
        return Delivery(
            tag,
            entry.queue,
            dict(entry.headers),
            dict(entry.properties),
            entry.body,
            entry.content_type,
            entry.content_encoding,
            entry.exchange,
            entry.routing_key,
            entry.deliveries > 1,
            entry.deliveries,
        )

    def _take(self, tags: Iterable[int]) -> list[Entry]:
        """End these claims and return what was claimed; tags that are not open any more are passed over."""
        entries = []
        for tag in tags:
            entry = self._claims.pop(tag, None)
            if entry is not None:
                self._begun.discard(tag)
                entries.append(entry)
        return entries

    def _heard(self) -> None:
        self._bell.silence()
        self._look()

    def _look(self) -> None:
        if self._alarm is not None and self._on_ready is not None:
            self._alarm.set(self._store.next_due(self._names))
            self._on_ready()


def declare(channel: Channel, queues: Iterable[Any]) -> None:
    """Declare Kombu `queues` with their exchanges and bindings.

    Raises `OperationalError` where one contradicts an earlier declaration.
    """
    for queue in queues:
        try:
            queue(channel).declare()
        except NotEquivalentError as error:
            raise OperationalError(f"the queue {queue.name!r} cannot be declared: {error}") from error
