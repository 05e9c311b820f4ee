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


class Consumers:
    """All methods ask the server, and raise what a closed connection or channel raises."""

    def __init__(self, channel: Any, allows_together: bool) -> None:
        """`allows_together`: the server knows a limit of all consumers, which may be changed, as RabbitMQ 3 does."""
        self._channel = channel
        self._allows_together = allows_together
        #: By consumer tag; those that have ended too, as what they were sent may yet be claimed.
        self.sources: dict[str, Source] = {}
        self._number = 0
        self._is_together = False

    def begin(self, queue: Any) -> None:
        """Be sent the messages of a queue."""
        self._number += 1
        tag = f"celeriac-{self._number}"
        self.sources[tag] = Source(queue.name, is_quorum(queue))
        # Acks are never left out, whatever the queue says: nothing is to be lost.
        self._channel.basic_consume(queue.name, tag, arguments=queue.consumer_arguments or None)

    def end(self, name: str | None = None) -> None:
        """Be sent no more from the queue of that name, or from any."""
        for tag in list(self._channel.callbacks):
            if name is None or self.sources[tag].queue == name:
                self._channel.basic_cancel(tag)

    def limit(self, count: int, queues: Sequence[Any], quorum: bool) -> None:
        """Be sent so many ahead of what was settled (0: as many as there are) from all `queues` that are consumed.

        `quorum`: there are quorum queues among them, of which each consumer has a limit of its own.
        """
        together = self._allows_together and not quorum
        if self._is_together and not together:
            self._channel.basic_qos(0, 0, True)
        self._channel.basic_qos(0, min(count, _MOST_AHEAD), together)
        self._is_together = together
        if not together and self._channel.callbacks:
            # The limit of a consumer is that of its start.
            consumed = {self.sources[tag].queue for tag in self._channel.callbacks}
            self.end()
            for queue in queues:
                if queue.name in consumed:
                    self.begin(queue)

    def is_from(self, arrival: Arrival, name: str) -> bool:
        """Whether a message has come from the queue of that name."""
        return self.sources[consumer_in(arrival.arguments)].queue == name
