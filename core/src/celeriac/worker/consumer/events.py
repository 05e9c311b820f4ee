"""The step that gives a worker its way to tell of itself and of its tasks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from celeriac.bootsteps import StartStopStep
from celeriac.worker.consumer.connection import Connection
from celeriac.worker.task_events import GROUP, TaskEvents

if TYPE_CHECKING:
    from celeriac.contracts.loop import Timer
    from celeriac.events.dispatcher import EventDispatcher
    from celeriac.worker.consumer.consumer import Consumer

logger = logging.getLogger("celeriac.worker.events")

#: So many events of tasks go in one message.
_AT_ONCE: Final = 250
#: Seconds between two looks for tasks that have begun, where the pool does not tell.
_LOOK_INTERVAL: Final = 1.0


class Events(StartStopStep):
    """Events of workers, and of tasks where they are asked for: ``-E``, or remote control later on.

    The consumer's `event_dispatcher` is None where the transport cannot reach many receivers with one message.
    """

    requires = (Connection,)

    def __init__(
        self,
        parent: Consumer,
        task_events: bool = False,
        without_heartbeat: bool = False,
        without_gossip: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(parent, **kwargs)
        self._tells_tasks = task_events
        self._tells_at_once = task_events or not without_heartbeat or not without_gossip
        self._hub = parent.hub
        self._dispatcher: EventDispatcher | None = None
        self._connection: Any = None
        self._looks: Timer | None = None
        self._is_flush_due = False

    def start(self, parent: Consumer) -> None:
        self._connection = parent.app.connection_for_write()
        dispatcher = parent.app.events.Dispatcher(
            self._connection,
            hostname=parent.hostname,
            enabled=self._tells_at_once,
            groups={"worker", GROUP} if self._tells_tasks else {"worker"},
            buffer_group={GROUP},
            buffer_limit=_AT_ONCE,
            on_send_buffered=self._flush_soon,
            through_lanes=True,
        )
        if not dispatcher.can_send:
            logger.info(
                "The transport %s reaches one receiver only: no events, no gossip",
                self._connection.transport.driver_type,
            )
            return
        self._dispatcher = parent.event_dispatcher = dispatcher
        watcher = TaskEvents(parent, dispatcher, self._tells_tasks)
        parent.watch(watcher)
        if not self._tells_tasks:
            self._looks = self._hub.call_repeatedly(_LOOK_INTERVAL, watcher.look_for_starts)

    def stop(self, parent: Consumer) -> None:
        parent.watch(None)
        parent.event_dispatcher = None
        if self._looks is not None:
            self._looks.cancel()
            self._looks = None
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is not None:
            dispatcher.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    terminate = stop

    def _flush_soon(self) -> None:
        """Send what waits at the end of this turn of the loop: all that the turn has brought goes together."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._hub.call_soon(self._flush)

    def _flush(self) -> None:
        dispatcher = self._dispatcher
        if dispatcher is not None and not dispatcher.flush():
            self._hub.call_later(dispatcher.retry_in, self._flush)
            return
        self._is_flush_due = False
