"""The consumer lane of transports that have none: the plain Kombu API, one message at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.broker import ConsumerLane, Delivery, LaneCapabilities, Settlements

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

#: Seconds between two looks at a transport that cannot wake the loop, while busy and at most.
_SOONEST: Final = 0.01
_LATEST: Final = 0.2


class KombuConsumerLane(ConsumerLane):
    """Lets Kombu consume into a buffer, from which claims are served.

    An early ack is the broker's ack; a task that is given back after it is published again.
    """

    capabilities = LaneCapabilities.NONE

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._buffer: deque[Any] = deque()
        self._held: dict[int, Any] = {}
        self._begun: set[int] = set()
        self._next = 0
        self._channel: Any = None
        self._consumer: Any = None
        self._timer: Any = None
        self._pause = _SOONEST

    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        from kombu import Consumer

        self._loop, self._on_ready = loop, on_ready
        self.connection.ensure_connection(max_retries=1)
        self._channel = self.connection.default_channel
        self._consumer = Consumer(
            self._channel, queues=list(queues), on_message=self._arrived, accept=None, auto_declare=True
        )
        if self._limit:
            self._consumer.qos(prefetch_count=self._limit)
        self._consumer.consume()
        transport = self.connection.transport
        if transport.implements.asynchronous:
            transport.register_with_event_loop(self.connection.connection, loop)
        else:
            self._timer = loop.call_later(0, self._look)

    _limit = 0

    def prefetch(self, limit: int) -> None:
        if limit != self._limit:
            self._limit = limit
            if self._consumer is not None:
                self._consumer.qos(prefetch_count=limit)

    def _look(self) -> None:
        """Let a transport without descriptors deliver what has come; look again sooner while messages come."""
        before = len(self._buffer)
        try:
            while len(self._buffer) < max(self._limit, 1):
                self.connection.drain_events(timeout=0)
        except (TimeoutError, OSError):
            pass  # nothing more has come
        found = len(self._buffer) > before
        self._pause = _SOONEST if found else min(self._pause * 1.5, _LATEST)
        self._timer = self._loop.call_later(self._pause, self._look)

    def _arrived(self, message: Any) -> None:
        self._buffer.append(message)
        self._on_ready()

    def claim(self, limit: int) -> list[Delivery]:
        claimed: list[Delivery] = []
        while self._buffer and len(claimed) < limit:
            message = self._buffer.popleft()
            self._next += 1
            self._held[self._next] = message
            claimed.append(self._delivery(self._next, message))
        return claimed

    def _delivery(self, tag: int, message: Any) -> Delivery:
        info = message.delivery_info or {}
        body = message.body
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        properties = dict(message.properties or {})
        return Delivery(
            tag,
            info.get("routing_key") or "",
            message.headers or {},
            properties,
            bytes(body),
            message.content_type or "",
            message.content_encoding or "",
            info.get("exchange") or "",
            info.get("routing_key") or "",
            bool(info.get("redelivered")),
            0,
        )

    def settle(self, batch: Settlements) -> None:
        for tag in batch.begin:
            message = self._held.get(tag)
            if message is not None and tag not in self._begun:
                message.ack()
                self._begun.add(tag)
        for tag in batch.ack:
            message = self._forget(tag)
            if message is not None and not message.acknowledged:
                message.ack()
        for tag in batch.reject:
            message = self._forget(tag)
            if message is not None and not message.acknowledged:
                message.reject(requeue=False)
        for tag in (*batch.requeue, *batch.redeliver):
            message = self._forget(tag)
            if message is not None:
                self._give_back(message)

    def _forget(self, tag: int) -> Any:
        self._begun.discard(tag)
        return self._held.pop(tag, None)

    def _give_back(self, message: Any) -> None:
        if not message.acknowledged:
            message.requeue()
            return
        from kombu import Producer

        info, properties = message.delivery_info or {}, dict(message.properties or {})
        for transports in ("delivery_info", "delivery_tag", "body_encoding"):
            properties.pop(transports, None)
        Producer(self._channel).publish(
            message.body,
            exchange=info.get("exchange") or "",
            routing_key=info.get("routing_key"),
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=message.headers,
            **properties,
        )

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._consumer is None:
            return
        consumer, self._consumer = self._consumer, None
        open_claims = [tag for tag in self._held if tag not in self._begun]
        try:
            consumer.cancel()
            self.settle(Settlements(requeue=open_claims))
            for message in self._buffer:
                message.requeue()
        finally:
            self._buffer.clear()
            self._held.clear()
            self.connection.release()
