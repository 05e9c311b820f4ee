"""The consumer lane of transports that have none: the plain Kombu API, one message at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from celeriac.app.lanes import properties_to_send_again, publish_plainly
from celeriac.contracts.broker import ConsumerLane, Delivery, LaneCapabilities, OutgoingMessage, Settlements
from celeriac.contracts.stale_claims import Settled, StaleClaims
from celeriac.worker.pump import KombuPump, Listener

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

logger = logging.getLogger("celeriac.worker.kombu_lane")


class Claim(NamedTuple):
    """A message that this lane has handed out."""

    message: Any
    queue: str


class KombuConsumerLane(ConsumerLane):
    """Lets Kombu consume into a buffer, from which claims are served.

    An early ack is the broker's ack; a message that is given back after it is published again.  When the connection is
    lost, the broker gives all that was not acked to whoever comes; `on_void` is told which claims these are, and
    answers with those that will yet be settled, because their tasks run.  They are recognised when they come again.
    """

    capabilities = LaneCapabilities.CHANGE_QUEUES

    def __init__(
        self,
        connection: Any,
        heartbeat_rate: float = 3.0,
        is_strict: bool = False,
    ) -> None:
        """`is_strict`: also tasks that are begun, which the broker takes for settled, count for the prefetch limit."""
        self.connection = connection
        if (
            connection.transport_cls.driver_type == "amqp"
        ):  # a protocol whose brokers take back what a lost connection held
            self.capabilities |= LaneCapabilities.CLAIMS_RETURN
        self._heartbeat_rate = heartbeat_rate
        self.pump: KombuPump | None = None
        self._buffer: deque[Claim] = deque()
        self._held: dict[int, Claim] = {}
        self._begun: set[int] = set()
        self._stale = StaleClaims()
        self._next = 0
        self._queues: list[Any] = []
        self._channel: Any = None
        #: By the name of the queue.
        self._consumers: dict[str, Any] = {}
        self._limit = 0
        self._takes_more = True
        self._is_strict = is_strict
        #: Where it is strict: begun tasks for which the broker was told to leave room, and whether they leave none.
        self._room_for = 0
        self._is_full = False

    # -- connecting ---------------------------------------------------------------------------------------------------

    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        self._queues, self._loop, self._on_ready = list(queues), loop, on_ready
        self.pump = KombuPump(self.connection, loop, self._heartbeat_rate)
        self.pump.open(Listener(self._consume, self._lost, self.on_lost))

    def _consume(self) -> None:
        self._channel = self.connection.default_channel
        self._stale.connected()
        self._consumers = {queue.name: self._consumer_of(queue) for queue in self._queues}
        if self._is_strict:
            self._room_for = len(self._begun)
            self._is_full = self._room_for >= self._limit > 0
        self._set_qos()
        self._receive()
        self._on_ready()

    def _receive(self) -> None:
        if self._takes_more and not self._is_full:
            for consumer in self._consumers.values():
                consumer.consume()

    def _consumer_of(self, queue: Any) -> Any:
        from kombu import Consumer

        arrived = partial(self._arrived, queue.name)
        consumer = Consumer(
            self._channel,
            queues=[queue],
            on_message=arrived,
            accept=None,
            auto_declare=True,
            tag_prefix="celeriac-",
        )
        # A body that cannot be decompressed: whoever decodes it says so.
        consumer.on_decode_error = _to_message(arrived)
        return consumer

    def add_queue(self, queue: Any) -> None:
        self._queues.append(queue)
        if self._channel is None:
            return  # consumed as soon as the connection is there again
        try:
            consumer = self._consumers[queue.name] = self._consumer_of(queue)
            if self._takes_more and not self._is_full:
                consumer.consume()
        except self._errors as error:
            self._queues.remove(queue)
            self._say_lost(error)
            raise

    def remove_queue(self, name: str) -> None:
        self._queues = [queue for queue in self._queues if queue.name != name]
        consumer = self._consumers.pop(name, None)
        try:
            if consumer is not None:
                consumer.cancel()
            for claim in [claim for claim in self._buffer if claim.queue == name]:
                self._buffer.remove(claim)
                claim.message.requeue()
        except self._errors as error:
            self._say_lost(error)
            raise

    def _lost(self) -> None:
        """Nothing that was not acked is ours any more, and of that the broker may not have heard."""
        self._stale.lost()
        self._consumers, self._channel = {}, None
        void = [tag for tag in self._held if tag not in self._begun]
        if self.connection.connected:
            # The broker is there: what is lost is on this side, and a transport without a server would keep them.
            for claim in (*self._buffer, *(self._held[tag] for tag in void)):
                _try(claim.message.requeue)
        self._buffer.clear()
        running = set(self.on_void(void)) if void else ()
        for tag in void:
            claim = self._held.pop(tag)
            if tag in running:
                self._stale.add(tag, _headers(claim.message))

    def prefetch(self, limit: int) -> None:
        if limit != self._limit:
            self._limit = limit
            if self._channel is not None:
                try:
                    self._fit(self._room_for)
                except self._errors as error:
                    self._say_lost(error)
                    raise

    def _set_qos(self) -> None:
        connection = self.connection
        quorum = any((queue.queue_arguments or {}).get("x-queue-type") == "quorum" for queue in self._queues)
        # Where this is not as the protocol says, the limit of a consumer is that of its start, unless it is global.
        everywhere = not quorum and not connection.qos_semantics_matches_spec
        self._channel.basic_qos(0, max(self._limit - self._room_for, 1) if self._limit else 0, everywhere)

    def _leave_room(self, begun: int) -> None:
        """Where it is strict: have the broker push no more than there is room for beside so many begun tasks.

        Said before the acks by which the broker makes room for others, so that nothing comes that would have to wait.
        """
        if self._is_strict and begun != self._room_for and self._channel is not None:
            self._fit(begun)

    def _fit(self, begun: int) -> None:
        was_full, self._room_for = self._is_full, begun
        self._is_full = self._is_strict and begun >= self._limit > 0
        if not self._is_full:
            self._set_qos()
            if was_full:
                self._receive()
        elif not was_full:
            for consumer in self._consumers.values():
                consumer.cancel()
            self._return_buffer()

    def _return_buffer(self) -> None:
        while self._buffer:
            self._buffer[0].message.requeue()
            self._buffer.popleft()

    # -- in -----------------------------------------------------------------------------------------------------------

    def _arrived(self, queue: str, message: Any) -> None:
        self._buffer.append(Claim(message, queue))
        self._on_ready()

    def claim(self, limit: int) -> list[Delivery]:
        claimed: list[Delivery] = []
        while self._buffer and len(claimed) < limit:
            claim = self._buffer.popleft()
            try:
                if self._stale and self._recognised(claim):
                    continue
            except self._errors as error:
                self._say_lost(error)
                break
            self._next += 1
            self._held[self._next] = claim
            claimed.append(_delivery(self._next, claim))
        if len(claimed) < limit and self.pump is not None:
            self.pump.hurry()
        return claimed

    def _recognised(self, claim: Claim) -> bool:
        """Whether this is a message that was claimed before the connection was lost; then it is dealt with."""
        message = claim.message
        headers = _headers(message)
        found = self._stale.claimed_again(headers, _is_redelivered(message, headers))
        if found is None:
            return False
        tag, settled = found
        if settled is None:
            self._held[tag] = claim  # its task runs
            return True
        try:
            if settled is Settled.ACK:
                self._ack(message)
            else:
                message.reject(requeue=settled is Settled.REQUEUE)
        except self._errors:
            self._stale.untold(tag, settled, headers)
            raise
        return True

    def _ack(self, message: Any) -> None:
        message.ack()
        self._stale.acked(_headers(message))

    def stop_receiving(self) -> None:
        self._takes_more = False
        try:
            for consumer in self._consumers.values():
                consumer.cancel()
            self._return_buffer()
        except self._errors as error:
            self._say_lost(error)

    # -- out ----------------------------------------------------------------------------------------------------------

    def settle(self, batch: Settlements) -> None:
        try:
            self._settle(batch)
        except self._errors as error:
            self._say_lost(error)
            raise
        if self.pump is not None:
            self.pump.hurry()

    def _settle(self, batch: Settlements) -> None:
        # Each is forgotten only after the broker was told, so that what failed can be told again.
        held, begun = self._held, self._begun
        if batch.begin:
            self._leave_room(len(begun.union(batch.begin)))
        for tag in batch.begin:
            if tag in held and tag not in begun:
                self._ack(held[tag].message)
                begun.add(tag)
        for tag in batch.ack:
            self._end(tag, Settled.ACK)
        for tag in batch.reject:
            self._end(tag, Settled.REJECT)
        for tag in (*batch.requeue, *batch.redeliver):
            self._end(tag, Settled.REQUEUE)
        self._leave_room(len(begun))

    def _end(self, tag: int, settled: Settled) -> None:
        claim = self._held.get(tag)
        if claim is None:
            self._stale.settle(tag, settled)
            return
        message = claim.message
        if tag in self._begun:
            if settled is Settled.REQUEUE:
                self._publish_again(claim)
                self._stale.published(_headers(message))
        elif not message.acknowledged:
            if settled is Settled.ACK:
                self._ack(message)
            else:
                message.reject(requeue=settled is Settled.REQUEUE)
        del self._held[tag]
        self._begun.discard(tag)

    def _publish_again(self, claim: Claim) -> None:
        if self._channel is None:
            raise ConnectionError("the broker is out of reach")
        message = claim.message
        info = message.delivery_info or {}
        publish_plainly(
            self._channel,
            OutgoingMessage(
                _bytes(message.body),
                message.content_type,
                message.content_encoding,
                _headers(message),
                properties_to_send_again(message.properties),
                info.get("exchange") or "",
                info.get("routing_key") or claim.queue,
            ),
        )

    @property
    def _errors(self) -> tuple[type[BaseException], ...]:
        return (OSError, *self.connection.connection_errors, *self.connection.channel_errors)

    def _say_lost(self, error: BaseException) -> None:
        if self.pump is not None:
            # Soon: who called this must come to its end before it is told which of its claims are void.
            self._loop.call_soon(self.pump.lost, error)

    def probe(self) -> None:
        if self.pump is not None and not self.pump.is_connected:
            raise ConnectionError(str(self.pump.last_error or "the connection is lost"))

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        pump, self.pump = self.pump, None
        if pump is None:
            return
        connected = pump.is_connected
        pump.close()
        if connected:
            for consumer in self._consumers.values():
                _try(consumer.cancel)
            open_claims = [claim for tag, claim in self._held.items() if tag not in self._begun]
            for claim in (*open_claims, *self._buffer):
                _try(claim.message.requeue)
        self._consumers, self._channel = {}, None
        self._buffer.clear()
        self._held.clear()
        _try(self.connection.release)


def _delivery(tag: int, claim: Claim) -> Delivery:
    message = claim.message
    info = message.delivery_info or {}
    headers = _headers(message)
    return Delivery(
        tag,
        claim.queue,
        headers,
        dict(message.properties or {}),
        _bytes(message.body),
        str(message.content_type or ""),
        str(message.content_encoding or ""),
        info.get("exchange") or "",
        info.get("routing_key") or "",
        _is_redelivered(message, headers),
        0,
    )


def _is_redelivered(message: Any, headers: dict[str, Any]) -> bool:
    # Kombu's virtual transports write it into the envelope of what they give back, and do not read it.
    envelope = getattr(message, "_raw", None)
    given_back = isinstance(envelope, dict) and envelope.get("redelivered")
    return bool((message.delivery_info or {}).get("redelivered") or headers.get("redelivered") or given_back)


def _headers(message: Any) -> dict[str, Any]:
    """The headers, where they are any: a transport that keeps messages as JSON passes on whatever was put there.

    Without that of the compression: Kombu has undone it, unless it could not.
    """
    headers = message.headers
    if not isinstance(headers, dict):
        return {}
    if "compression" in headers and not message.errors:
        return {key: value for key, value in headers.items() if key != "compression"}
    return headers


def _bytes(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    return bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b""


def _to_message(arrived: Callable[[Any], None]) -> Callable[[Any, BaseException], None]:
    return lambda message, _: arrived(message)


def _try(function: Callable[[], Any]) -> None:
    """Say something to a broker that may be gone; if it is, it does by itself what was asked."""
    try:
        function()
    except Exception as error:  # noqa: BLE001  # of any transport
        logger.debug("%r failed: %r", function, error)
