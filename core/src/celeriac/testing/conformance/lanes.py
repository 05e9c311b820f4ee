"""Lanes as the kernel makes them: the driver's own, or the kernel's adapter over the plain Kombu API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.app.lanes import KombuProducerLane
from celeriac.contracts.broker import lanes_of
from celeriac.worker.kombu_lane import KombuConsumerLane

if TYPE_CHECKING:
    from celeriac.contracts.broker import ConsumerLane, ProducerLane


def producer_lane(connection: Any) -> ProducerLane:
    """A lane to the broker of a Kombu connection."""
    native, _ = lanes_of(connection.transport_cls)
    return KombuProducerLane(connection) if native is None else native(connection)


def consumer_lane(connection: Any) -> ConsumerLane:
    """A lane from the broker of a Kombu connection."""
    _, native = lanes_of(connection.transport_cls)
    return KombuConsumerLane(connection) if native is None else native(connection)
