"""The consumers of a connection: one for each queue, and how many messages they may be sent ahead."""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final

from amqp.spec import Basic

from celeriac_amqp.arrivals import Arrival, Source
from celeriac_amqp.content import consumer_in
from celeriac_amqp.options import is_quorum

#: The largest prefetch that AMQP can say.
_MOST_AHEAD: Final = 0xFFFF
#: Consumers that are remembered after their end.
_MOST_SOURCES: Final = 1000


class Consumers:
    """Methods raise what a closed connection or channel raises.

    Limits are changed without waiting for the server, which needs long for it while it hands out what it has from a
    quorum queue: it reads on a channel in order, and closes that where it refuses.
    """

    def __init__(self, channel: Any, queues: Sequence[Any], allows_together: bool, detects_quorum: bool) -> None:
        """`queues` are those that may be consumed, and may change.

        `allows_together`: the server knows a limit of all consumers, which may be changed, as RabbitMQ 3 does.
        """
        self._channel = channel
        self._queues = queues
        self._allows_together = allows_together
        self._detects_quorum = detects_quorum
        #: By consumer tag; those that have ended too, as what they were sent may yet be claimed.
        self.sources: dict[str, Source] = {}
        self._number = 0
        self._count = -1
        self._is_together = False

    @property
    def are_together(self) -> bool:
        """Whether one limit holds for all; elsewhere each consumer has its own, which is that of its start."""
        return self._allows_together and not (self._detects_quorum and any(map(is_quorum, self._queues)))

    @property
    def are_on(self) -> bool:
        """Whether every queue is consumed."""
        return self._consumed.issuperset([queue.name for queue in self._queues])

    @property
    def _consumed(self) -> set[str]:
        return {self.sources[tag].queue for tag in self._channel.callbacks}

    def _begin(self, queue: Any, waits: bool = True) -> None:
        self._number += 1
        # A new one each time: RabbitMQ 3.10 fails where one comes back that a quorum queue has given messages.
        tag = f"celeriac-{self._number}"
        self.sources[tag] = Source(queue.name, is_quorum(queue))
        if len(self.sources) > _MOST_SOURCES:
            self._forget_oldest()
        # Acks are never left out, whatever the queue says: nothing is to be lost.
        self._channel.basic_consume(queue.name, tag, nowait=not waits, arguments=queue.consumer_arguments or None)

    def _forget_oldest(self) -> None:
        oldest = next((tag for tag in self.sources if tag not in self._channel.callbacks), None)
        if oldest is not None:
            del self.sources[oldest]

    def begin_all(self) -> None:
        """Be sent the messages of all queues."""
        consumed = self._consumed
        for queue in self._queues:
            if queue.name not in consumed:
                self._begin(queue)

    def end(self, name: str | None = None) -> None:
        """Be sent no more from the queue of that name, or from any."""
        for tag in list(self._channel.callbacks):
            if name is None or self.sources[tag].queue == name:
                self._channel.basic_cancel(tag)

    def pause(self) -> None:
        """Be sent no more for now: the server would delete queues that go with their last consumer, so these stay."""
        going = self._names_of_going()
        for tag in list(self._channel.callbacks):
            if self.sources[tag].queue not in going:
                self._channel.basic_cancel(tag)

    def _names_of_going(self) -> set[str]:
        return {queue.name for queue in self._queues if queue.auto_delete}

    def move(self, channel: Any, fit: Callable[[], None]) -> None:
        """Be sent messages on another channel from now on; `fit` sets a limit for that, and begins."""
        before, self._channel = self._channel, channel
        self._count, self._is_together = -1, False
        self._replace(before, fit)

    def _replace(self, channel: Any, begin: Callable[[], None]) -> None:
        """Begin others in place of a channel's consumers; queues that go with their last consumer always have one."""
        going = self._names_of_going()
        staying = []
        for tag in list(channel.callbacks):
            if self.sources[tag].queue in going:
                staying.append(tag)
            else:
                _end_soon(channel, tag)
        begin()
        for tag in staying:
            _end_soon(channel, tag)

    def limit(self, count: int) -> None:
        """Be sent so many ahead of what was settled (0: as many as there are) from all queues that are consumed.

        Of quorum queues each consumer has a limit of its own, and a queue of that kind makes it so for all.
        """
        together = self.are_together
        if (count, together) == (self._count, self._is_together):
            return
        if self._is_together and not together:
            self._say_limit(0, True)
        self._say_limit(min(count, _MOST_AHEAD), together)
        self._count, self._is_together = count, together
        if not together:
            consumed = self._consumed
            self._replace(self._channel, lambda: self._begin_soon(consumed))

    def _begin_soon(self, names: Collection[str]) -> None:
        for queue in self._queues:
            if queue.name in names:
                self._begin(queue, waits=False)

    def _say_limit(self, count: int, together: bool) -> None:
        self._channel.send_method(Basic.Qos, "lBb", (0, count, together))

    def is_from(self, arrival: Arrival, name: str) -> bool:
        """Whether a message has come from the queue of that name."""
        return self.sources[consumer_in(arrival.arguments)].queue == name

    def may_go_back(self, arrivals: Iterable[Arrival]) -> list[Arrival]:
        """Those of the messages that would not come again at once, because their queue is consumed all the time."""
        going = self._names_of_going()
        return [each for each in arrivals if self.sources[consumer_in(each.arguments)].queue not in going]

    @property
    def may_move(self) -> bool:
        """Whether no queue has just one active consumer, which would be another's after a move."""
        return not any(_has_single_consumer(queue) for queue in self._queues)


def _end_soon(channel: Any, tag: str) -> None:
    """Without waiting for the server: what is on its way may yet be claimed."""
    channel.basic_cancel(tag, nowait=True)
    del channel.callbacks[tag]


def _has_single_consumer(queue: Any) -> bool:
    return bool((queue.queue_arguments or {}).get("x-single-active-consumer"))
