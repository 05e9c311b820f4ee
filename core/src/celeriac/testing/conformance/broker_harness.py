"""Lanes to and from a queue of its own, for the tests of a broker."""

from __future__ import annotations

from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from celeriac.contracts.broker import LaneCapabilities, OutgoingMessage
from celeriac.testing.conformance.complaints import Complaints
from celeriac.testing.conformance.lanes import consumer_lane, producer_lane
from celeriac.testing.conformance.loop import TurningLoop
from celeriac.testing.conformance.proxy import Proxy, server_of, through

if TYPE_CHECKING:
    from celeriac.contracts.broker import ConsumerLane, Delivery, ProducerLane

#: How many messages a lane may hold; for brokers that push.
_PREFETCH: Final = 100


class BrokerHarness:
    """Gives the suite lanes to and from a queue of its own on the broker at `url`, which is deleted at the end.

    `app` is a Celery app, made where it is not given; `queue` is a Kombu queue, where it is not to be a plain one.
    `queue_type` is what the broker calls its type (``x-queue-type``), where it has several.
    """

    def __init__(self, url: str, app: Any = None, queue: Any = None, queue_type: str = "") -> None:
        if app is None:
            from celeriac.app.base import Celery  # only where nobody gives one

            app = Celery("conformance", broker=url, set_as_current=False)
        self.app = app
        self.url = url
        self.loop = TurningLoop()
        self._complaints = Complaints(app.connection_errors)
        #: How often a consumer was told that there may be something.
        self.rings = 0
        options = {"queue_arguments": {"x-queue-type": queue_type}} if queue_type else {"max_priority": 9}
        self.queue = queue or queue_of(f"celeriac-conformance-{uuid4().hex}", **options)
        self._queues = [self.queue]
        self._lanes: list[ProducerLane | ConsumerLane] = []
        self._proxy: Proxy | None = None
        #: Where lanes lead: through the proxy, once there is one.
        self._way = url

    @property
    def transport(self) -> Any:
        """The class of the driver."""
        return self.app.transport_for(self.url)

    def has(self, feature: str) -> bool:
        """Whether the driver claims that: the name of one of `LaneCapabilities`, or what the suite's tests need."""
        if feature in LaneCapabilities.__members__:
            return LaneCapabilities[feature] in self._capabilities
        if feature.endswith(" exchanges"):
            implements = getattr(self.transport, "implements", None)
            return implements is None or feature.removesuffix(" exchanges") in implements.exchange_type
        if feature == "other processes":  # which reach the same messages
            return getattr(self.transport, "driver_type", "") != "memory"
        if feature == "one TCP server":
            return self._proxy is not None or server_of(self.url, self._default_port) is not None
        return bool(getattr(self.transport, feature, False))

    @cached_property
    def _capabilities(self) -> LaneCapabilities:
        with closing(consumer_lane(self.app.connection_for_read(self._way))) as lane:
            lane.open([self.queue], self.loop.loop, self._ring)
            return lane.capabilities

    @property
    def _default_port(self) -> int | None:
        port: int | None = getattr(self.transport, "default_port", None)
        return port

    def proxy(self) -> Proxy:
        """What lanes lead through from now on, and can be cut by; only where there is one TCP server."""
        if self._proxy is None:
            self._proxy, self._way = through(self.url, self._default_port)
        return self._proxy

    def another_queue(self, exchange: Any, routing_key: str = "") -> Any:
        """Another queue, bound to that exchange, which is deleted at the end as well."""
        from kombu import Queue

        queue = Queue(f"celeriac-conformance-{uuid4().hex}", exchange, routing_key=routing_key)
        self._queues.append(queue)
        return queue

    def producer(self) -> ProducerLane:
        """A lane to the broker."""
        lane = producer_lane(self.app.connection_for_write(self._way))
        self._lanes.append(lane)
        return lane

    def consumer(self, *queues: Any) -> ConsumerLane:
        """An open lane from the queue, or from those that are given."""
        return self.consumer_on(self.loop, *queues)

    def consumer_on(self, loop: TurningLoop, *queues: Any) -> ConsumerLane:
        """The same on another loop, for another thread."""
        lane = consumer_lane(self.app.connection_for_read(self._way))
        self._lanes.append(lane)
        lane.open(list(queues) or [self.queue], loop.loop, self._ring)
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

    def purge(self) -> None:
        """Empty the queue."""
        with self.app.connection_for_write(self.url) as connection, closing(connection.channel()) as channel:
            self.queue(channel).purge()

    def close(self) -> None:
        """Close the lanes, then delete the queue and its exchange."""
        for lane in reversed(self._lanes):
            lane.close()
        if self._proxy is not None:
            self._proxy.close()
        self.loop.close()
        with self.app.connection_for_write(self.url) as connection, closing(connection.channel()) as channel:
            for queue in self._queues:
                bound = queue(channel)
                bound.declare()
                bound.purge()
                bound.delete()
                bound.exchange.delete()
        self._complaints.judge()


def queue_of(name: str, **options: Any) -> Any:
    """A Kombu queue with an exchange of the same name."""
    from kombu import Exchange, Queue

    return Queue(name, Exchange(name, type="direct"), routing_key=name, **options)


def number_of(delivery: Delivery) -> int:
    """Which message it is."""
    number: int = delivery.headers["number"]
    return number
