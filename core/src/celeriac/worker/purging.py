"""Throwing messages away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celeriac.app.queues import is_missing_queue

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def discard_messages(app: Celery, queues: Iterable[Any], connection: Any = None) -> int:
    """Remove all messages that wait in the queues, and give their number.  There is no undo.

    A queue that the broker does not know has none.  Raises `OperationalError` when the broker cannot be reached.
    """
    if connection is not None:
        return _discard(connection, queues)
    with app.connection_for_write() as opened:
        return _discard(opened, queues)


def _discard(connection: Any, queues: Iterable[Any]) -> int:
    count = 0
    for queue in queues:
        # A channel for each: a broker closes the one on which a queue was asked for that is not there.
        channel = connection.channel()
        try:
            count += queue(channel).purge() or 0
        except connection.channel_errors as error:
            if not is_missing_queue(error):
                raise
        finally:
            connection.maybe_close_channel(channel)
    return count
