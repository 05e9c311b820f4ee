"""Lanes to and from a queue of its own, for the tests of a broker."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from celeriac.contracts.broker import OutgoingMessage
from celeriac.testing.conformance.lanes import consumer_lane, producer_lane
from celeriac.testing.conformance.loop import TurningLoop

if TYPE_CHECKING:
    from celeriac.contracts.broker import ConsumerLane, Delivery, ProducerLane

#: How many messages a lane may hold; for brokers that push.
_PREFETCH: Final = 100


class BrokerHarness:
    """Gives the suite lanes to and from a queue of its own on the broker at `url`, which is deleted at the end.

    `app` is a Celery app, made where it is not given.
    """

    def __init__(self, url: str, app: Any = None) -> None:
        if app is None:
            from celeriac.app.base import Celery  # only where nobody gives one

            app = Celery("conformance", broker=url, set_as_current=False)
        from kombu import Exchange, Queue

        self.app = app
        self.url = url
        self.loop = TurningLoop()
        #: How often a consumer was told that there may be something.
        self.rings = 0
        name = f"celeriac-conformance-{uuid4().hex}"
        self.queue = Queue(name, Exchange(name, type="direct"), routing_key=name, max_priority=9)
        self._lanes: list[ProducerLane | ConsumerLane] = []

    def producer(self) -> ProducerLane:
        """A lane to the broker."""
        lane = producer_lane(self.app.connection_for_write(self.url))
        self._lanes.append(lane)
        return lane

    def consumer(self) -> ConsumerLane:
        """An open lane from the queue."""
        lane = consumer_lane(self.app.connection_for_read(self.url))
        self._lanes.append(lane)
        lane.open([self.queue], self.loop.loop, self._ring)
        lane.prefetch(_PREFETCH)
        return lane

    def _ring(self) -> None:
        self.rings += 1

    def message(self, number: int = 0, *, body: bytes = b"", priority: int | None = None, **rest: Any) -> Any:
        """A message for the queue, which `number_of` recognizes."""
        properties: dict[str, Any] = {"correlation_id": f"id-{number}", "delivery_mode": 2}
        if priority is not None:
            properties["priority"] = priority
        return OutgoingMessage(
            body=body or b"[]",
            content_type="application/json",
            content_encoding="utf-8",
            headers={"lang": "py", "task": "conformance", "id": f"id-{number}", "number": number},
            properties=properties,
            exchange=self.queue.exchange.name,
            routing_key=self.queue.routing_key,
            queue=self.queue,
            **rest,
        )

    def claim(self, lane: ConsumerLane, count: int, limit: int = 100) -> list[Delivery]:
        """Claim until there are `count`; the test fails if they do not come."""
        found: list[Delivery] = []

        def enough() -> bool:
            found.extend(lane.claim(min(limit, count - len(found))))
            return len(found) >= count

        self.loop.until(enough, f"{count} messages can be claimed")
        return found

    def claim_nothing(self, lane: ConsumerLane) -> list[Delivery]:
        """What can be claimed after the loop had some turns to bring something."""
        found: list[Delivery] = []
        for _ in range(5):
            found.extend(lane.claim(10))
            self.loop.turn()
        return found

    def close(self) -> None:
        """Close the lanes, then delete the queue and its exchange."""
        for lane in reversed(self._lanes):
            lane.close()
        self.loop.close()
        with self.app.connection_for_write(self.url) as connection, closing(connection.channel()) as channel:
            bound = self.queue(channel)
            bound.declare()
            bound.purge()
            bound.delete()
            bound.exchange.delete()


def number_of(delivery: Delivery) -> int:
    """Which message it is."""
    number: int = delivery.headers["number"]
    return number
