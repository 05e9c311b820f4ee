"""The consumer lane."""

# mypy: allow-untyped-calls

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from amqp.exceptions import NotFound
from kombu.exceptions import OperationalError

from celeriac.contracts import ConsumerLane, Delivery, LaneCapabilities, OutgoingMessage, Settlements
from celeriac.contracts.stale_claims import Settled, StaleClaims
from celeriac_amqp.consumers import Consumers
from celeriac_amqp.delays import Delays, can_wait
from celeriac_amqp.flow import Flow
from celeriac_amqp.intake import Intake
from celeriac_amqp.link import ERRORS, Link
from celeriac_amqp.options import LaneOptions, is_quorum
from celeriac_amqp.producer import AmqpProducerLane

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

logger = logging.getLogger("celeriac.amqp")

_ALWAYS: Final = (
    LaneCapabilities.CLAIM_MANY
    | LaneCapabilities.SETTLE_MANY
    | LaneCapabilities.QUEUE_DEPTH
    | LaneCapabilities.CHANGE_QUEUES
    | LaneCapabilities.CLAIMS_RETURN
)
_CLASSIC: Final = LaneCapabilities.PRIORITY | LaneCapabilities.GIVE_BACK
_QUORUM: Final = LaneCapabilities.DELIVERY_COUNT | LaneCapabilities.NATIVE_DELAY


class AmqpConsumerLane(ConsumerLane):
    """Is sent messages ahead, claims are served from those, and what is said of them goes out in one write.

    A tag is the number of a channel and the delivery tag: so it is never used twice.  When the connection is lost, the
    broker gives all that was not acked to whoever comes.  `on_void` is told which claims these are, soon, never while
    the worker is in the middle of something; the next claim connects again.
    """

    def __init__(self, link: Link, link_out: Link, options: LaneOptions) -> None:
        self._link = link
        self._link_out = link_out
        self._options = options
        self._delays = Delays(options.prefix, options.delay_queue_type)
        self._producer: AmqpProducerLane | None = None
        self._queues: list[Any] = []
        self._is_open = False
        self._intake: Intake | None = None
        self._consumers: Consumers | None = None
        self._held: dict[int, Delivery] = {}
        self._begun: dict[int, Delivery] = {}
        self._stale = StaleClaims()
        self._flow = Flow(self._begun, options.is_strict)
        self._channel_numbers = count()
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

    def _connect(self) -> Intake:
        """Raises `OperationalError`, and then nothing is open."""
        intake = Intake(self._link, self._channel_numbers, self._loop, self._on_ready, self._lost)
        self._stale.connected()
        try:
            channel = intake.channels.current.channel
            self._declare(channel, self._queues)
            together = not self._link.is_as_specified
            self._consumers = Consumers(channel, self._queues, together, self._options.detects_quorum)
            self._intake = intake
            self._flow.begin(intake, self._consumers)
            intake.watch(self._options.heartbeat_rate)
        except ERRORS as error:
            self._give_up(intake)
            raise self._link.explained(error) from error
        self._on_ready()
        return intake

    def _declare(self, channel: Any, queues: Sequence[Any]) -> None:
        for queue in queues:
            queue(channel).declare()
        waiting_rooms = [queue for queue in queues if can_wait(queue)] if self._options.detects_quorum else []
        if waiting_rooms:
            self._delays.declare(channel)
            for queue in waiting_rooms:
                self._delays.bind(channel, queue)

    def prefetch(self, limit: int) -> None:
        self._flow.set(limit)

    # -- losing the connection ----------------------------------------------------------------------------------------

    def _lost(self, intake: Intake, error: OperationalError) -> None:
        if intake is not self._intake or not self._is_open:
            return
        logger.error("Connection to the broker lost: %s", error)
        self._give_up(intake)
        if self.on_lost(error, 0):
            self._on_ready()

    def _give_up(self, intake: Intake) -> None:
        """Nothing that was not acked is ours any more, and of that the broker may not have heard."""
        intake.drop()
        self._intake = self._consumers = None
        self._flow.drop()
        self._numbers = {}
        self._stale.lost()
        void = list(self._held)
        running = set(self.on_void(void)) if void else ()
        for tag in void:
            delivery = self._held.pop(tag)
            if tag in running:
                self._stale.add(tag, delivery.headers)

    def _usable(self) -> Intake:
        """The connection, made if there is none.  Raises `OperationalError`."""
        intake = self._intake
        if intake is None:
            intake = self._connect()
        if intake.is_failing:
            raise self._link.lost()
        return intake

    # -- in -----------------------------------------------------------------------------------------------------------

    def claim(self, limit: int) -> list[Delivery]:
        if not self._is_open or limit <= 0:
            return []
        intake = self._intake
        if intake is None:
            intake = self._usable()
        if len(intake.arrivals) < limit:
            intake.refresh()
        self._flow.before_claim()
        claimed: list[Delivery] = []
        arrivals, held, stale = intake.arrivals, self._held, self._stale
        sources = {} if self._consumers is None else self._consumers.sources
        while arrivals and len(claimed) < limit and not intake.is_failing:
            delivery = arrivals.popleft().delivery(sources)
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
        if settled is None:
            # Its task runs; the worker knows it by the tag that it had.
            self._held[tag] = delivery._replace(tag=tag)
            self._numbers[tag] = delivery.tag
            return True
        try:
            match settled:
                case Settled.ACK:
                    self._say(acked=[delivery.tag])
                    self._stale.acked(delivery.headers)
                case Settled.REJECT:
                    self._say(rejected=[delivery.tag])
                case Settled.REQUEUE:
                    self._say(requeued=[delivery.tag])
        except OperationalError as error:
            logger.debug("Message %s will come once more: %s", delivery.headers.get("id"), error)
            self._stale.untold(tag, settled, delivery.headers)
        return True

    # -- out ----------------------------------------------------------------------------------------------------------

    def settle(self, batch: Settlements) -> None:
        held = self._held
        begin = [tag for tag in batch.begin if tag in held]
        ack = [tag for tag in batch.ack if tag in held]
        reject = [tag for tag in batch.reject if tag in held]
        again = [tag for tag in (*batch.requeue, *batch.redeliver) if tag in held]
        if begin or ack or reject or again:
            if begin:
                self._flow.before_begin(len(begin))
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
        self._flow.after_settling()

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
        """The tags under which the messages came last."""
        numbers = self._numbers
        return [numbers.get(tag, tag) for tag in tags] if numbers else list(tags)

    def _released(self, tag: int) -> Delivery:
        self._numbers.pop(tag, None)
        return self._held.pop(tag)

    def _say(self, acked: Sequence[int] = (), rejected: Sequence[int] = (), requeued: Sequence[int] = ()) -> None:
        """Tell the broker, in one write.  Raises `OperationalError`."""
        if self._intake is None:
            raise self._link.lost()
        self._intake.say(acked, rejected, requeued)

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

    def probe(self) -> None:
        self._usable()

    def stop_receiving(self) -> None:
        try:
            self._flow.stop()
        except OperationalError as error:
            logger.debug("The broker takes back what was sent ahead by itself: %s", error)

    def add_queue(self, queue: Any) -> None:
        intake, consumers = self._usable(), self._consumers
        assert consumers is not None

        def begin() -> None:
            self._declare(intake.channels.current.channel, [queue])
            self._queues.append(queue)
            self._flow.fit()

        try:
            intake.ask(begin)
        except OperationalError:
            self._queues[:] = [each for each in self._queues if each is not queue]
            raise
        self._describe()
        self._on_ready()

    def remove_queue(self, name: str) -> None:
        self._queues[:] = [queue for queue in self._queues if queue.name != name]
        intake, consumers = self._usable(), self._consumers
        assert consumers is not None
        intake.ask(lambda: consumers.end(name))
        intake.give_back([arrival for arrival in intake.arrivals if consumers.is_from(arrival, name)])
        self._describe()

    def depth(self, queue: str) -> int | None:
        intake, consumers = self._usable(), self._consumers

        def look() -> int | None:
            try:
                with intake.wire.channel() as other:  # the broker closes a channel that asks for what is not there
                    return int(other.queue_declare(queue, passive=True).message_count)
            except NotFound:
                return None

        ready = intake.ask(look)
        if ready is None or consumers is None:
            return None
        # What was sent ahead and not claimed could still go to others.
        return ready + sum(consumers.is_from(each, queue) for each in intake.arrivals)

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        self._is_open = False
        intake, self._intake = self._intake, None
        if intake is not None:
            intake.close()
        self._consumers = None
        self._flow.drop()
        self._held.clear()
        if self._producer is not None:
            self._producer.close()
