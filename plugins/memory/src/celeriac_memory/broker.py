"""The in-memory broker as a Kombu transport, with the doors to its native lanes."""

# Kombu's virtual transport, which is extended here, has no annotations.
# mypy: allow-untyped-calls
from __future__ import annotations

import time
from collections.abc import Collection
from queue import Empty
from typing import TYPE_CHECKING, Any, ClassVar

from kombu.transport import virtual

from celeriac.contracts import BROKER_API, ConsumerLane, ProducerLane, QueueFigures
from celeriac.protocol import wall
from celeriac_memory.alarm import LONGEST_WAIT, Alarm
from celeriac_memory.bell import Bell
from celeriac_memory.channel import Channel
from celeriac_memory.lanes import MemoryConsumerLane, MemoryProducerLane
from celeriac_memory.ownership import address_of
from celeriac_memory.store import store_at

if TYPE_CHECKING:
    from kombu import Connection
    from kombu.utils.scheduling import FairCycle


class Transport(virtual.Transport):
    """``memory://`` is one broker, ``memory://other`` and ``memory://host/path`` are others, all in this process."""

    Channel = Channel
    cycle: FairCycle
    api_version = BROKER_API
    publishes_once: ClassVar[bool] = True
    driver_type = "memory"
    driver_name = "memory"
    implements = virtual.Transport.implements.extend(
        asynchronous=True, exchange_type=frozenset({"direct", "topic", "fanout"})
    )

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.store = store_at(address_of(client.hostname, client.virtual_host))
        self.state = self.store.topology
        self._bell: Bell | None = None
        self._alarm: Alarm | None = None

    @classmethod
    def producer_lane(cls, connection: Connection) -> ProducerLane:
        """The lane of a producer; it releases the connection when it is closed."""
        return MemoryProducerLane(connection)

    @classmethod
    def consumer_lane(cls, connection: Connection) -> ConsumerLane:
        """The lane of a worker; it releases the connection when it is closed."""
        return MemoryConsumerLane(connection)

    @classmethod
    def queue_figures(cls, connection: Connection, queues: Collection[str]) -> dict[str, QueueFigures]:
        """What is in the queues of the broker that the connection names."""
        return store_at(address_of(connection.hostname, connection.virtual_host)).figures(queues)

    def driver_version(self) -> str:
        return "n/a"

    def close_connection(self, connection: Any) -> None:
        super().close_connection(connection)
        if self._bell is not None:
            self.store.forget(self._bell.ring)
            self._bell.close()
            self._bell = None

    # -- waiting, without polling -------------------------------------------------------------------------------------

    def drain_events(self, connection: Any, timeout: float | None = None, **_: Any) -> None:
        """Deliver one message to its callback; wait for it up to `timeout` seconds, None for ever.

        Raises `TimeoutError` where none has come.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        bell = self._listening()
        while True:
            bell.silence()
            try:
                self.cycle.get(self._deliver)
            except Empty:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError("no message has come") from None
                bell.wait(self._patience(left))
            else:
                return

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Deliver messages from the loop as they come."""
        self._alarm = Alarm(loop, self.ring)
        loop.add_reader(self._listening().fileno(), self.on_readable, connection, loop)
        self.ring()

    def unregister_from_event_loop(self, connection: Any, loop: Any) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
            loop.remove_reader(self._listening().fileno())

    def on_readable(self, connection: Any, loop: Any) -> None:
        try:
            self.drain_events(connection, timeout=0)
        except TimeoutError:
            if self._alarm is not None:
                self._alarm.set(self._next_due())
        else:
            self.ring()  # one at a time, so that everything else on the loop has its turn

    def ring(self) -> None:
        """Have whoever waits on this transport look again."""
        if self._bell is not None:
            self._bell.ring()

    def _listening(self) -> Bell:
        if self._bell is None:
            self._bell = Bell()
            self.store.listen(self._bell.ring)
        return self._bell

    def _next_due(self) -> float | None:
        return self.store.next_due(self._callbacks)

    def _patience(self, left: float | None) -> float | None:
        """How long to wait for the bell: no longer than `left`, and until a message that is held back is due."""
        due = self._next_due()
        if due is None:
            return left
        wait = min(max(due - wall.time(), 0.0), LONGEST_WAIT)
        return wait if left is None else min(wait, left)
