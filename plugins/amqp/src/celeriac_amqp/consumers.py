"""The consumers of one channel: one for each queue, and how many messages they may be sent ahead."""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from celeriac_amqp.arrivals import Arrival, Source
from celeriac_amqp.content import consumer_in
from celeriac_amqp.options import is_quorum

#: The largest prefetch that AMQP can say.
_MOST_AHEAD: Final = 0xFFFF
#: Consumers that are remembered after their end.
_MOST_SOURCES: Final = 1000


class Consumers:
    """All methods ask the server, and raise what a closed connection or channel raises."""

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
        """Whether any queue is consumed."""
        return bool(self._channel.callbacks)

    def begin(self, queue: Any) -> None:
        """Be sent the messages of a queue."""
        self._number += 1
        # A new one each time: RabbitMQ 3.10 fails where one comes back that a quorum queue has given messages.
        tag = f"celeriac-{self._number}"
        self.sources[tag] = Source(queue.name, is_quorum(queue))
        if len(self.sources) > _MOST_SOURCES:
            self._forget_oldest()
        # Acks are never left out, whatever the queue says: nothing is to be lost.
        self._channel.basic_consume(queue.name, tag, arguments=queue.consumer_arguments or None)

    def _forget_oldest(self) -> None:
        oldest = next((tag for tag in self.sources if tag not in self._channel.callbacks), None)
        if oldest is not None:
            del self.sources[oldest]

    def begin_all(self) -> None:
        """Be sent the messages of all queues."""
        for queue in self._queues:
            self.begin(queue)

    def end(self, name: str | None = None) -> None:
        """Be sent no more from the queue of that name, or from any."""
        for tag in list(self._channel.callbacks):
            if name is None or self.sources[tag].queue == name:
                self._channel.basic_cancel(tag)

    def limit(self, count: int) -> None:
        """Be sent so many ahead of what was settled (0: as many as there are) from all queues that are consumed.

        Of quorum queues each consumer has a limit of its own, and a queue of that kind makes it so for all.
        """
        together = self.are_together
        if (count, together) == (self._count, self._is_together):
            return
        if self._is_together and not together:
            self._channel.basic_qos(0, 0, True)
        self._channel.basic_qos(0, min(count, _MOST_AHEAD), together)
        self._count, self._is_together = count, together
        if not together and self.are_on:
            consumed = {self.sources[tag].queue for tag in self._channel.callbacks}
            self.end()
            for queue in self._queues:
                if queue.name in consumed:
                    self.begin(queue)

    def is_from(self, arrival: Arrival, name: str) -> bool:
        """Whether a message has come from the queue of that name."""
        return self.sources[consumer_in(arrival.arguments)].queue == name
