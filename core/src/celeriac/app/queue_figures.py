"""What the broker tells of queues, whichever it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from celeriac.app.queues import is_missing_queue
from celeriac.contracts.broker import QueueFigures

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def figures_of(app: Celery, queues: Collection[str]) -> Mapping[str, QueueFigures]:
    """The figures of those of the queues that are there.

    Raises `kombu.exceptions.OperationalError` where the broker is out of reach.
    """
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
        native = getattr(connection.transport_cls, "queue_figures", None)
        if native is not None:
            told: Mapping[str, QueueFigures] = native(connection, queues)
            return told
        found = {queue: _declared(connection, queue) for queue in queues}
    return {queue: figures for queue, figures in found.items() if figures is not None}


def _declared(connection: Any, queue: str) -> QueueFigures | None:
    """What a passive declaration tells; None where there is no such queue."""
    channel = connection.channel()
    try:
        _, ready, consumers = channel.queue_declare(queue, passive=True)[:3]
    except connection.channel_errors as error:
        if not is_missing_queue(error):
            raise
        return None
    finally:
        connection.maybe_close_channel(channel)
    # Kombu's own transports do not know who listens in other processes, and say 0.
    knows_consumers = connection.transport.driver_type == "amqp"
    return QueueFigures(int(ready), consumers=int(consumers) if knows_consumers else None)
