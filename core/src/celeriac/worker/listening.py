"""Which queues a worker listens to, while it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.worker.consumer.consumer import Consumer


class Listening:
    """One per consumer; all calls come from the thread of the loop.

    All methods raise NotImplementedError where the lane cannot change its queues, and what the broker raises.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        #: Names of queues from which nothing is taken for now.
        self.paused: set[str] = set()

    @property
    def queues(self) -> list[Any]:
        """The Kombu queues, paused ones among them."""
        return self._consumer.queues

    def _find(self, name: str) -> Any:
        return next((queue for queue in self.queues if queue.name == name), None)

    def add(
        self, name: str, exchange: str | None, exchange_type: str, routing_key: str | None, options: Mapping[str, Any]
    ) -> None:
        """Listen to one more queue: the one that the app has of this name, or a new one of these properties."""
        if self._find(name) is not None:
            return
        known = self._consumer.app.amqp.queues
        if name in known:
            queue = known.select_add(name)
        else:
            queue = known.select_add(
                name,
                exchange=exchange or name,
                exchange_type=exchange_type,
                routing_key=routing_key or name,
                **options,
            )
        self._consumer.lane.add_queue(queue)
        self.queues.append(queue)
        self._consumer.wake()

    def remove(self, name: str) -> None:
        """Listen to it no more; harmless where it does not."""
        queue = self._find(name)
        if queue is None:
            return
        if name not in self.paused:
            self._consumer.lane.remove_queue(name)
        self.paused.discard(name)
        self.queues.remove(queue)
        self._consumer.app.amqp.queues.deselect([name])

    def pause(self, name: str) -> bool:
        """Take nothing from it until it is resumed; False where it is none of this worker's."""
        if self._find(name) is None:
            return False
        if name not in self.paused:
            self._consumer.lane.remove_queue(name)
            self.paused.add(name)
        return True

    def resume(self, name: str) -> bool:
        """Take messages from it again; False where it is not paused."""
        if name not in self.paused:
            return False
        self._consumer.lane.add_queue(self._find(name))
        self.paused.discard(name)
        self._consumer.wake()
        return True
