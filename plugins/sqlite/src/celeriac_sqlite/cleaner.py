"""The worker's step that removes expired results."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from celeriac.bootsteps import StartStopStep
from celeriac.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac_sqlite.backend import SqliteBackend

logger = logging.getLogger("celeriac.sqlite")

#: Seconds between two portions, in which the worker does its work.
_PAUSE: Final = 0.05


class ResultCleaner(StartStopStep):
    """Removes expired results in small portions, one round every ``sqlite_cleanup_interval`` seconds."""

    name = "celeriac_sqlite.ResultCleaner"
    requires = ("celeriac.worker.components:Hub",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._interval: float = parent.app.conf.sqlite_cleanup_interval
        self._timer: Timer | None = None

    def include_if(self, parent: Any) -> bool:
        return self._interval > 0

    def start(self, parent: Any) -> None:
        self._backend: SqliteBackend = parent.app.backend
        self._loop: EventLoop = parent.hub
        self._timer = self._loop.call_later(_PAUSE, self._clean)

    def stop(self, parent: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    terminate = stop

    def _clean(self) -> None:
        more = False
        try:
            more = self._backend.clean_some()
        except StoreUnavailable as error:
            logger.warning("expired results could not be removed: %s", error)
        self._timer = self._loop.call_later(_PAUSE if more else self._interval, self._clean)
