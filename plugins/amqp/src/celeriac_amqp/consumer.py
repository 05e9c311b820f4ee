"""The consumer lane."""

# mypy: allow-untyped-calls

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from amqp.exceptions import NotFound
from kombu.exceptions import OperationalError

from celeriac.contracts import ConsumerLane, Delivery, LaneCapabilities, OutgoingMessage, Settlements
from celeriac.contracts.stale_claims import Settled, StaleClaims
from celeriac_amqp.arrivals import Arrival
from celeriac_amqp.consumers import Consumers
from celeriac_amqp.content import tag_in
from celeriac_amqp.delays import Delays, can_wait
from celeriac_amqp.frames import settling
from celeriac_amqp.link import ERRORS, Link
from celeriac_amqp.options import LaneOptions, is_quorum
from celeriac_amqp.producer import AmqpProducerLane
from celeriac_amqp.unsettled import Unsettled

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac_amqp.wire import Wire

logger = logging.getLogger("celeriac.amqp")

_ALWAYS: Final = (
    LaneCapabilities.CLAIM_MANY
    | LaneCapabilities.SETTLE_MANY
    | LaneCapabilities.QUEUE_DEPTH
    | LaneCapabilities.CHANGE_QUEUES
)
_CLASSIC: Final = LaneCapabilities.PRIORITY | LaneCapabilities.GIVE_BACK
_QUORUM: Final = LaneCapabilities.DELIVERY_COUNT | LaneCapabilities.NATIVE_DELAY


class AmqpConsumerLane(ConsumerLane):
    """Is sent messages ahead, claims are served from those, and what is said of them goes out in one write.

    A tag is the delivery tag and what was delivered on the connections before: so it is never used twice.  When the
    connection is lost, the broker gives all that was not acked to whoever comes.  `on_void` is told which claims these
    are, soon, never while the worker is in the middle of something; the next claim connects again.
    """

    def __init__(self, link: Link, link_out: Link, options: LaneOptions) -> None:
        self._link = link
        self._link_out = link_out
        self._options = options
        self._delays = Delays(options.prefix, options.delay_queue_type)
        self._producer: AmqpProducerLane | None = None
        self._queues: list[Any] = []
        self._limit = 0
        self._takes_more = True
        self._is_open = False
        self._buffer: deque[Arrival] = deque()
        self._held: dict[int, Delivery] = {}
        self._begun: dict[int, Delivery] = {}
        self._stale = StaleClaims()
        self._base = 0
        self._timers: list[Timer] = []
        self._forget_connection()

    def _forget_connection(self) -> None:
        self._wire: Wire | None = None
        self._fd = -1
        self._channel: Any = None
        self._consumers: Consumers | None = None
        self._is_failing = False
        self._unsettled = Unsettled()
        #: Claims that were made on an earlier connection, and the tags under which their messages came again.
        self._numbers: dict[int, int] = {}

    # -- connecting ---------------------------------------------------------------------------------------------------

    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        self._queues, self._loop, self._on_ready = list(queues), loop, on_ready
        self._is_open = True
        self._describe()
        try:
            self._connect()
        except BaseException:
            self._is_open = False
            raise

    def _describe(self) -> None:
        kinds = {is_quorum(queue) for queue in self._queues}
        self.capabilities = _ALWAYS | (_CLASSIC if True not in kinds else LaneCapabilities.NONE)
        if kinds == {True}:
            self.capabilities |= _QUORUM if self._options.detects_quorum else LaneCapabilities.DELIVERY_COUNT

    def _connect(self) -> None:
        """Raises `OperationalError`, and then nothing is open."""
        wire = self._link.connect()
        try:
            channel = self._channel = wire.channel()
            channel.auto_decode = False
            wire.takers[channel.channel_id] = self._arrived
            self._wire = wire
            self._stale.connected()
            self._declare(self._queues)
            consumers = self._consumers = Consumers(channel, not self._link.is_as_specified)
            consumers.limit(self._limit, self._queues, self._has_quorum)
            if self._takes_more:
                for queue in self._queues:
                    consumers.begin(queue)
            self._loop.add_reader(wire.sock, self._readable)
            self._fd = wire.sock.fileno()
            self._look_after_heartbeats(wire)
            wire.handle_read()
        except ERRORS as error:
            self._disconnect()
            self._forget_arrivals()
            raise self._link.explained(error) from error
        self._on_ready()

    def _declare(self, queues: Sequence[Any]) -> None:
        channel = self._channel
        for queue in queues:
            queue(channel).declare()
        waiting_rooms = [queue for queue in queues if can_wait(queue)] if self._options.detects_quorum else []
        if waiting_rooms:
            self._delays.declare(channel)
            for queue in waiting_rooms:
                self._delays.bind(channel, queue)

    @property
    def _has_quorum(self) -> bool:
        return self._options.detects_quorum and any(map(is_quorum, self._queues))

    def _look_after_heartbeats(self, wire: Wire) -> None:
        rate = self._options.heartbeat_rate
        if wire.heartbeat:
            self._timers.append(self._loop.call_repeatedly(wire.heartbeat / rate, self._beat, wire, rate))

    def _beat(self, wire: Wire, rate: float) -> None:
        if wire is self._wire and not self._is_failing:
            try:
                wire.heartbeat_tick(rate=rate)
            except ERRORS as error:
                self._fail(error)

    def _disconnect(self) -> None:
        while self._timers:
            self._timers.pop().cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
        self._base += self._unsettled.last
        self._forget_connection()
        self._link.drop()

    # -- losing the connection ----------------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> OperationalError:
        """The connection is of no more use; gives the error to raise.

        Soon, not at once: whoever called must come to its end before it is told which of its claims are void.
        """
        if self._wire is not None and not self._is_failing:
            self._is_failing = True
            if self._fd >= 0:
                self._loop.remove_reader(self._fd)
                self._fd = -1
            self._loop.call_soon(self._give_up, self._wire, error)
        return self._link.explained(error)

    def _give_up(self, wire: Wire, error: BaseException) -> None:
        if wire is not self._wire or not self._is_open:
            return
        logger.error("Connection to the broker lost: %s. Connecting again", self._link.explained(error))
        self._disconnect()
        self._forget_arrivals()
        self._on_ready()

    def _forget_arrivals(self) -> None:
        """Nothing that was not acked is ours any more, and of that the broker may not have heard."""
        self._stale.lost()
        self._buffer.clear()
        void = list(self._held)
        running = set(self.on_void(void)) if void else ()
        for tag in void:
            delivery = self._held.pop(tag)
            if tag in running:
                self._stale.add(tag, delivery.headers)

    def _usable(self) -> Wire:
        """The connection, made if there is none.  Raises `OperationalError`."""
        if self._is_failing:
            raise OperationalError(f"the connection to RabbitMQ at {self._link.place} was lost")
        if self._wire is None:
            self._connect()
            logger.warning("Connected to the broker again")
        assert self._wire is not None
        return self._wire

    # -- in -----------------------------------------------------------------------------------------------------------

    def _arrived(self, arguments: bytes, header: bytes, body: bytes) -> None:
        self._unsettled.delivered(tag_in(arguments))
        self._buffer.append(Arrival(arguments, header, body))

    def _readable(self) -> None:
        before = len(self._buffer)
        self._take()
        if len(self._buffer) > before:
            self._on_ready()

    def _take(self) -> None:
        wire = self._wire
        if wire is not None and not self._is_failing:
            try:
                wire.take()
            except ERRORS as error:
                self._fail(error)

    def claim(self, limit: int) -> list[Delivery]:
        if not self._is_open or limit <= 0:
            return []
        if self._wire is None and not self._is_failing:
            self._usable()
        if len(self._buffer) < limit:
            self._take()
        claimed: list[Delivery] = []
        buffer, held, stale = self._buffer, self._held, self._stale
        sources = {} if self._consumers is None else self._consumers.sources
        while buffer and len(claimed) < limit and not self._is_failing:
            delivery = buffer.popleft().delivery(self._base, sources)
            if stale and self._recognised(delivery):
                continue
            held[delivery.tag] = delivery
            claimed.append(delivery)
        return claimed

    def _recognised(self, delivery: Delivery) -> bool:
        """Whether this is a message that was claimed before the connection was lost; then it is dealt with."""
        found = self._stale.claimed_again(delivery.headers, delivery.redelivered)
        if found is None:
            return False
        tag, settled = found
        number = delivery.tag - self._base
        if settled is None:
            # Its task runs; the worker knows it by the tag that it had.
            self._held[tag] = delivery._replace(tag=tag)
            self._numbers[tag] = number
            return True
        try:
            match settled:
                case Settled.ACK:
                    self._say(acked=[number])
                    self._stale.acked(delivery.headers)
                case Settled.REJECT:
                    self._say(rejected=[number])
                case Settled.REQUEUE:
                    self._say(requeued=[number])
        except OperationalError as error:
            logger.debug("Message %s will come once more: %s", delivery.headers.get("id"), error)
        return True

    # -- out ----------------------------------------------------------------------------------------------------------

    def settle(self, batch: Settlements) -> None:
        held = self._held
        begin = [tag for tag in batch.begin if tag in held]
        ack = [tag for tag in batch.ack if tag in held]
        reject = [tag for tag in batch.reject if tag in held]
        again = [tag for tag in (*batch.requeue, *batch.redeliver) if tag in held]
        if begin or ack or reject or again:
            self._say(self._numbered((*begin, *ack)), self._numbered(reject), self._numbered(again))
            # Each is forgotten only after the broker was told, so that what failed can be told again.
            acked = self._stale.acked
            for tag in begin:
                delivery = self._begun[tag] = self._released(tag)
                acked(delivery.headers)
            for tag in ack:
                if tag not in self._begun:
                    acked(self._released(tag).headers)
            for tag in (*reject, *again):
                self._released(tag)
        self._settle_begun(batch)

    def _settle_begun(self, batch: Settlements) -> None:
        """What was acked before is forgotten, or sent once more; and what has to wait for its message to come again."""
        begun, stale = self._begun, self._stale
        if not begun and not stale:
            return
        again = []
        for tags, settled in (
            (batch.ack, Settled.ACK),
            (batch.reject, Settled.REJECT),
            (batch.requeue, Settled.REQUEUE),
            (batch.redeliver, Settled.REQUEUE),
        ):
            for tag in tags:
                if tag not in begun:
                    stale.settle(tag, settled)
                elif settled is Settled.REQUEUE:
                    again.append(tag)
                else:
                    del begun[tag]
        if again:
            self._publish_again([begun[tag] for tag in again])
            for tag in again:
                stale.published(begun.pop(tag).headers)

    def _numbered(self, tags: Sequence[int]) -> list[int]:
        """The tags as the broker knows them."""
        base, numbers = self._base, self._numbers
        if numbers:
            return [numbers.get(tag, tag - base) for tag in tags]
        return [tag - base for tag in tags]

    def _released(self, tag: int) -> Delivery:
        self._numbers.pop(tag, None)
        return self._held.pop(tag)

    def _say(self, acked: Sequence[int] = (), rejected: Sequence[int] = (), requeued: Sequence[int] = ()) -> None:
        """Tell the broker, in one write.  Raises `OperationalError`."""
        wire = self._wire
        if wire is None or self._is_failing:
            raise OperationalError(f"the connection to RabbitMQ at {self._link.place} was lost")
        frames = self._unsettled.settle(acked, rejected, requeued)
        if frames:
            try:
                wire.say(settling(self._channel.channel_id, frames))
            except ERRORS as error:
                raise self._fail(error) from error

    def _publish_again(self, deliveries: Sequence[Delivery]) -> None:
        """By a connection of its own: one that publishes may be stopped by the broker, and acks must not be."""
        if self._producer is None:
            self._producer = AmqpProducerLane(self._link_out, self._options)
        self._producer.publish(
            [
                # To the queue that it came from, whoever else its exchange would give it to.
                OutgoingMessage(
                    delivery.body,
                    delivery.content_type,
                    delivery.content_encoding,
                    delivery.headers,
                    {name: value for name, value in delivery.properties.items() if name != "user_id"},
                    "",
                    delivery.queue,
                )
                for delivery in deliveries
            ]
        )

    # -- what else there is to ask ------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[Consumers], Any]) -> Any:
        """What `question` gives.  Raises `OperationalError`."""
        wire, before = self._usable(), len(self._buffer)
        assert self._consumers is not None
        try:
            answer = question(self._consumers)
            # More may have come behind the answer, and nobody would be told of it.
            wire.handle_read()
        except ERRORS as error:
            raise self._fail(error) from error
        if len(self._buffer) > before:
            self._on_ready()
        return answer

    def prefetch(self, limit: int) -> None:
        if limit != self._limit:
            self._limit = limit
            if self._consumers is not None and not self._is_failing:
                self._ask(lambda consumers: consumers.limit(limit, self._queues, self._has_quorum))

    def stop_receiving(self) -> None:
        self._takes_more = False
        if self._consumers is None or self._is_failing:
            return
        try:
            self._ask(lambda consumers: consumers.end())
            self._say(requeued=[tag_in(arrival.arguments) for arrival in self._buffer])
            self._buffer.clear()
        except OperationalError as error:
            logger.debug("The broker takes back what was sent ahead by itself: %s", error)

    def add_queue(self, queue: Any) -> None:
        def begin(consumers: Consumers) -> None:
            had_quorum = self._has_quorum
            self._declare([queue])
            self._queues.append(queue)
            if self._has_quorum is not had_quorum:
                consumers.limit(self._limit, self._queues, self._has_quorum)
            if self._takes_more:
                consumers.begin(queue)

        try:
            self._ask(begin)
        except OperationalError:
            self._queues = [each for each in self._queues if each is not queue]
            raise
        self._describe()
        self._on_ready()

    def remove_queue(self, name: str) -> None:
        self._queues = [queue for queue in self._queues if queue.name != name]
        self._ask(lambda consumers: consumers.end(name))
        assert self._consumers is not None
        unasked = [arrival for arrival in self._buffer if self._consumers.is_from(arrival, name)]
        self._say(requeued=[tag_in(arrival.arguments) for arrival in unasked])
        for arrival in unasked:
            self._buffer.remove(arrival)
        self._describe()

    def depth(self, queue: str) -> int | None:
        wire = self._usable()

        def look(_: Consumers) -> int | None:
            try:
                with wire.channel() as other:  # the broker closes a channel that asks for what is not there
                    return int(other.queue_declare(queue, passive=True).message_count)
            except NotFound:
                return None

        ready: int | None = self._ask(look)
        if ready is None:
            return None
        # What was sent ahead and not claimed could still go to others.
        assert self._consumers is not None
        return ready + sum(self._consumers.is_from(each, queue) for each in self._buffer)

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        was_open, self._is_open = self._is_open, False
        if was_open:
            while self._timers:
                self._timers.pop().cancel()
            if self._fd >= 0:
                self._loop.remove_reader(self._fd)
            if self._is_failing:
                self._link.drop()
            # The broker takes back what was not acked when it hears the farewell.
            self._link.close()
            self._forget_connection()
            self._buffer.clear()
            self._held.clear()
        if self._producer is not None:
            self._producer.close()
