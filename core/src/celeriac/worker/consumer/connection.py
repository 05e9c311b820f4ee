"""The step that connects to the broker."""

from __future__ import annotations

from typing import Any

from celeriac.bootsteps import StartStopStep
from celeriac.worker.lease_keeper import LeaseKeeper


class Connection(StartStopStep):
    """The way to the broker: what the other steps need to reach anybody."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._keeper: LeaseKeeper | None = None

    def start(self, parent: Any) -> None:
        parent.connect()
        if parent.pool.blocking:
            self._keeper = LeaseKeeper(parent.lane)
            self._keeper.start()

    def stop(self, parent: Any) -> None:
        if self._keeper is not None:
            self._keeper.stop()
        parent.close()

    terminate = stop
