"""The broker driver: Kombu's transport for RabbitMQ, and our lanes."""

from __future__ import annotations

from typing import Any, ClassVar

from celeriac.contracts import BROKER_API, ConsumerLane, ProducerLane
from celeriac_amqp.consumer import AmqpConsumerLane
from celeriac_amqp.link import Link
from celeriac_amqp.options import lane_options
from celeriac_amqp.producer import AmqpProducerLane
from celeriac_amqp.transports import CheckedTlsTransport, CheckedTransport


class _Lanes:
    """What both transports have; the lanes have connections of their own."""

    api_version: ClassVar[int] = BROKER_API

    @classmethod
    def producer_lane(cls, connection: Any) -> ProducerLane:
        """A lane to the server that the Kombu connection names."""
        return AmqpProducerLane(Link(connection), lane_options(connection))

    @classmethod
    def consumer_lane(cls, connection: Any) -> ConsumerLane:
        """A lane from the server that the Kombu connection names."""
        return AmqpConsumerLane(Link(connection), Link(connection, heartbeat=0), lane_options(connection))


class AmqpTransport(_Lanes, CheckedTransport):
    """``amqp://`` and ``pyamqp://``."""


class AmqpsTransport(_Lanes, CheckedTlsTransport):
    """``amqps://``."""
