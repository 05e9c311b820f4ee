"""The ways from this process to the broker: a small pool of producer lanes, and the adapter for plain transports."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.broker import OutgoingMessage, ProducerLane

if TYPE_CHECKING:
    from celeriac.app.base import Celery


#: Properties that a transport adds to a message, and that are not to be sent again.
_TRANSPORTS_OWN: Final = frozenset(
    {
        "application_headers",
        "body_encoding",
        "content_encoding",
        "content_type",
        "delivery_info",
        "delivery_tag",
        "timestamp",
        "user_id",
    }
)


def properties_to_send_again(properties: Mapping[str, Any] | None) -> dict[str, Any]:
    """The properties of a message that has been received, as it was sent."""
    return {key: value for key, value in (properties or {}).items() if key not in _TRANSPORTS_OWN}


def publish_plainly(channel: Any, message: OutgoingMessage) -> None:
    """Publish through a channel of Kombu's, past its `Producer`: that takes an expiration in seconds, and would encode.

    Raises what the transport raises.
    """
    properties = dict(message.properties)
    priority = properties.pop("priority", None)
    prepared = channel.prepare_message(
        message.body,
        priority=priority,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        headers=message.headers,
        properties=properties,
    )
    channel.basic_publish(prepared, exchange=message.exchange, routing_key=message.routing_key)


class KombuProducerLane(ProducerLane):
    """Publishes one by one through the plain Kombu API: serves every transport that has no lane of its own."""

    def __init__(self, connection: Any, producer: Any = None) -> None:
        self.connection = connection
        self._producer = producer
        self._declared: set[str] = set()

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        self.published = 0
        channel = self.connection.default_channel if self._producer is None else self._producer.channel
        for message in messages:
            if message.queue is not None and message.queue.name not in self._declared:
                message.queue(channel).declare()
                self._declared.add(message.queue.name)
            publish_plainly(channel, message)
            self.published += 1

    def close(self) -> None:
        self.connection.release()


class _Loan:
    """One use of a lane: a generator would cost each message four times this."""

    __slots__ = ("_lane", "_pool")

    def __init__(self, pool: LanePool) -> None:
        self._pool = pool

    def __enter__(self) -> ProducerLane:
        self._lane = lane = self._pool.take()
        return lane

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._pool.give_back(self._lane)
        else:
            self._lane.close()


class LanePool:
    """Lends producer lanes to threads; a forked child starts with none of its parent's."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._limit = int(app.conf.broker_pool_limit or 0)
        self._idle: list[ProducerLane] = []
        #: A child must neither use nor close what it inherited, so this keeps it from being collected.
        self._inherited: list[list[ProducerLane]] = []
        ref = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget_inherited(ref))

    def forget_inherited(self) -> None:
        """In a forked child: leave the parent's lanes alone."""
        self._inherited.append(self._idle)
        self._idle = []

    def lend(self, producer: Any = None, connection: Any = None) -> AbstractContextManager[ProducerLane]:
        """A lane for one use.  One that failed is closed and not lent again.

        Where the caller has a Kombu producer or connection of its own, the lane goes through that, and leaves it open.
        """
        if producer is not None or connection is not None:
            return nullcontext(KombuProducerLane(connection, producer))
        return _Loan(self)

    def take(self) -> ProducerLane:
        """An idle lane, or a new one; to be given back, or closed."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def give_back(self, lane: ProducerLane) -> None:
        """Keep a lane that was taken for whoever is next."""
        if len(self._idle) < self._limit:
            self._idle.append(lane)
        else:
            lane.close()

    def _open(self) -> ProducerLane:
        connection = self.app.connection_for_write()
        native = getattr(connection.transport_cls, "producer_lane", None)
        lane: ProducerLane = native(connection) if native is not None else KombuProducerLane(connection)
        return lane

    def close(self) -> None:
        """Close the lanes that nobody uses; later uses open new ones."""
        while self._idle:
            self._idle.pop().close()


def _forget_inherited(ref: weakref.ref[LanePool]) -> None:
    pool = ref()
    if pool is not None:
        pool.forget_inherited()
