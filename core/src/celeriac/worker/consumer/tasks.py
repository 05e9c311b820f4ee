"""The step that begins to consume tasks."""

from __future__ import annotations

from typing import Any

from celeriac.bootsteps import StartStopStep
from celeriac.worker.consumer.agent import Agent
from celeriac.worker.consumer.connection import Connection
from celeriac.worker.consumer.mingle import Mingle


class Tasks(StartStopStep):
    """Begins to claim task messages; steps that must have acted before the first one does not require this."""

    requires = (Connection, Mingle, Agent)

    def start(self, parent: Any) -> None:
        parent.begin()

    def stop(self, parent: Any) -> None:
        parent.stop_claiming()

    terminate = stop
