"""The step that sends a worker's heartbeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celeriac.bootsteps import StartStopStep
from celeriac.worker import heartbeat
from celeriac.worker.consumer.events import Events

if TYPE_CHECKING:
    from celeriac.worker.consumer.consumer import Consumer


class Heart(StartStopStep):
    """Heartbeats; left out by ``--without-heartbeat``."""

    requires = (Events,)

    def __init__(
        self, parent: Consumer, without_heartbeat: bool = False, heartbeat_interval: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(parent, **kwargs)
        self.enabled = not without_heartbeat
        self.heartbeat_interval = heartbeat_interval

    def start(self, parent: Consumer) -> None:
        if parent.event_dispatcher is not None:
            parent.heart = heartbeat.Heart(parent.hub, parent.event_dispatcher, self.heartbeat_interval, parent.figures)
            parent.heart.start()

    def stop(self, parent: Consumer) -> None:
        heart, parent.heart = parent.heart, None
        if heart is not None:
            heart.close()

    terminate = stop
