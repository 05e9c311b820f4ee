"""The producer lane."""

# mypy: allow-untyped-calls

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from kombu import Exchange
from kombu.exceptions import OperationalError

from celeriac.contracts import OutgoingMessage, ProducerLane
from celeriac_amqp.delays import Delays, can_wait
from celeriac_amqp.options import is_quorum
from celeriac_amqp.publishing import Parcel, Publishing

if TYPE_CHECKING:
    from celeriac_amqp.link import Link
    from celeriac_amqp.options import LaneOptions


#: Seconds after which a message is offered again that a queue has refused which was declared just before.
_PAUSES: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
#: Seconds within which a quorum queue that two connections declare at once takes messages from both.
_SETTLES: Final = 5.0


class AmqpProducerLane(ProducerLane):
    """Declares the queues that messages name, publishes in batches, and knows what the server has taken."""

    def __init__(self, link: Link, options: LaneOptions) -> None:
        self._publishing = Publishing(link, options.confirm_timeout)
        self._publishing.on_channel = self._begin_anew
        self._delays = Delays(options.prefix, options.delay_queue_type)
        self._delays_seconds = options.detects_quorum
        #: Names of queues that were declared on this connection, and of those that delayed messages can come to.
        self._declared: set[str] = set()
        self._waiting_rooms: set[str] = set()
        self._exchanges: set[str] = set()
        #: The places in the last batch of those that are not on the server, or may not be.
        self._failed: list[int] = []
        self._monotonic_settled = 0.0

    def _begin_anew(self, _: Any) -> None:
        self._declared.clear()
        self._waiting_rooms.clear()
        self._exchanges.clear()

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        self.published = 0
        self._failed = list(range(len(messages)))
        if not messages:
            return
        # A connection that was closed while nobody used it: what was declared on it may be gone.
        self._publishing.channel()
        now = int(time.time())
        for message in messages:
            # One that is sent once more was sent when it was sent first.
            message.properties.setdefault("timestamp", now)
        parcels = [self._parcel(message) for message in messages]
        try:
            self._publish(parcels)
        except BaseException:
            failed = self._failed
            self.published = failed[0] if failed else len(messages)
            # Whoever tries again declares again: somebody may have deleted the queue.
            self._declared.clear()
            raise

    def unpublished(self, messages: Sequence[OutgoingMessage]) -> list[OutgoingMessage]:
        return [messages[place] for place in self._failed]

    def _publish(self, parcels: Sequence[Parcel]) -> None:
        """Offers once more what a quorum queue refuses only because another connection is about to make it.

        The server answers the second declaration before such a queue has a leader, and refuses what it gets until then.
        """
        publishing = self._publishing
        for pause in (*_PAUSES, None):
            left = self._failed
            try:
                publishing.publish(parcels if len(left) == len(parcels) else [parcels[place] for place in left])
            except BaseException:
                self._failed = [left[place] for place in publishing.failed]
                is_new = time.monotonic() < self._monotonic_settled
                if pause is None or not is_new or publishing.refused != set(publishing.failed):
                    raise
                time.sleep(pause)
                publishing.channel()
            else:
                self._failed = []
                return

    def _note_new(self) -> None:
        self._monotonic_settled = time.monotonic() + _SETTLES

    def _parcel(self, message: OutgoingMessage) -> Parcel:
        queue = message.queue
        if queue is not None and queue.name not in self._declared:
            self._publishing.ask(lambda channel: queue(channel).declare())
            self._declared.add(queue.name)
            if not isinstance(queue, Exchange) and is_quorum(queue):
                self._note_new()
        is_broadcast = isinstance(queue, Exchange)
        if message.exchange and queue is None:
            self._look_for(message.exchange)
        parcel = Parcel(message, mandatory=not is_broadcast)
        if message.eta is not None and not is_broadcast and queue is not None and self._delays_seconds:
            self._delay(parcel, message.eta - time.time())
        return parcel

    def _look_for(self, exchange: str) -> None:
        """The server would close the channel, with all that is on its way."""
        if exchange in self._exchanges:
            return
        if not self._publishing.has_exchange(exchange):
            raise OperationalError(f"there is no exchange {exchange!r}; declare it, or send to a queue by its name")
        self._exchanges.add(exchange)

    def _delay(self, parcel: Parcel, seconds: float) -> None:
        queue = parcel.message.queue
        if seconds <= 0 or not can_wait(queue):
            return
        if queue.name not in self._waiting_rooms:
            if not self._waiting_rooms:
                self._publishing.ask(self._delays.declare)
                self._note_new()
            self._publishing.ask(lambda channel: self._delays.bind(channel, queue))
            self._waiting_rooms.add(queue.name)
        message = parcel.message
        parcel.exchange, parcel.routing_key = self._delays.way(seconds, queue, message.exchange, message.routing_key)
        # It would come as soon as that is over, and then without it. The worker looks at the header `expires`.
        properties = {name: value for name, value in parcel.properties.items() if name != "expiration"}
        if seconds < 1:
            properties["expiration"] = str(max(1, round(seconds * 1000)))
        parcel.properties = properties

    def close(self) -> None:
        self._publishing.close()
