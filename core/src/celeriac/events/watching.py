"""Listening to the events of a cluster for as long as the process lives."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery

logger = logging.getLogger("celeriac.events")

#: Seconds until a broker that was lost is tried again, at first and at most.
_SOONEST, _LATEST = 1.0, 30.0


def watch(
    app: Celery,
    handlers: dict[str, Callable[[dict[str, Any]], Any]],
    on_lost: Callable[[BaseException], None] | None = None,
) -> None:
    """Hand all events to `handlers` until SystemExit or KeyboardInterrupt; connects again when the connection is lost.

    Raises what the transport raises where the broker is out of reach from the first.
    """
    with suppress(KeyboardInterrupt, SystemExit):
        _watch(app, handlers, on_lost)


def _watch(
    app: Celery,
    handlers: dict[str, Callable[[dict[str, Any]], Any]],
    on_lost: Callable[[BaseException], None] | None,
) -> None:
    pause, was_there = _SOONEST, False
    while True:
        try:
            with app.connection_for_read() as connection:
                receiver = app.events.Receiver(connection, handlers=handlers)
                was_there, pause = True, _SOONEST
                receiver.capture(limit=None, timeout=None, wakeup=True)
        except app.connection_errors as error:
            if not was_there:
                raise
            logger.warning("Connection to the broker lost (%s); trying again in %.0f s", error, pause)
            if on_lost is not None:
                on_lost(error)
            time.sleep(pause)
            pause = min(pause * 2, _LATEST)
