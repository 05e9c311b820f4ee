"""The consumer's own steps.  Their names are those that Celery gives them, so that steps of users may require them."""

from __future__ import annotations

from typing import Any

from celeriac.bootsteps import Blueprint, StartStopStep
from celeriac.worker.events import Events
from celeriac.worker.gossip import Gossip
from celeriac.worker.heart import Heart
from celeriac.worker.lease_keeper import LeaseKeeper
from celeriac.worker.mingle import Mingle
from celeriac.worker.panel.step import Control


class Connection(StartStopStep):
    """The way to the broker: what the other steps need to reach anybody."""

    name = "celeriac.worker.consumer.connection.Connection"

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


class Tasks(StartStopStep):
    """Begins to claim task messages; steps that must have acted before the first one does not require this."""

    name = "celeriac.worker.consumer.tasks.Tasks"
    requires = (Connection, Mingle)

    def start(self, parent: Any) -> None:
        parent.begin()

    def stop(self, parent: Any) -> None:
        parent.stop_claiming()

    terminate = stop


class ConsumerBlueprint(Blueprint):
    """Steps that live as long as the consumer."""

    name = "Consumer"
    default_steps = (Connection, Events, Mingle, Gossip, Heart, Tasks, Control)
