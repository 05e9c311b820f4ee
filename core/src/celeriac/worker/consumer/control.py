"""The step that lets a worker be commanded and asked from elsewhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kombu.exceptions import InconsistencyError

from celeriac.bootsteps import ConsumerStep
from celeriac.worker.backoff import Backoff
from celeriac.worker.consumer.tasks import Tasks
from celeriac.worker.control import PanelState, handlers_of
from celeriac.worker.panel.node import PanelNode

if TYPE_CHECKING:
    from celeriac.contracts.loop import Timer

logger = logging.getLogger("celeriac.worker.control")


class Control(ConsumerStep):
    """Listens to remote control, unless ``worker_enable_remote_control`` is off.

    Whatever becomes of the mailbox, tasks are consumed: where its queue cannot be had, it is tried again later.
    """

    requires = (Tasks,)
    conditional = True

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._backoff = Backoff()
        self._retry: Timer | None = None
        self._told = False
        self.node: PanelNode | None = None

    def include_if(self, parent: Any) -> bool:
        return bool(parent.app.conf.worker_enable_remote_control)

    def create(self, parent: Any) -> Any:
        self._handlers = handlers_of(parent.app)
        return None

    def get_consumers(self, channel: Any) -> list[Any]:
        consumer = self._parent
        mailbox = consumer.app.control.mailbox(consumer.connection)
        mailbox.node_cls = PanelNode
        state = PanelState(consumer.app, consumer.hostname, consumer)
        node = self.node = mailbox.Node(consumer.hostname, state, channel, self._handlers)
        return [node.Consumer(channel)]

    def start(self, c: Any) -> None:
        self._parent = c
        self._cancel()
        try:
            super().start(c)
        except InconsistencyError:  # its queue belongs to another connection
            self._channel = self.consumers = None
            self._try_later(c)
        else:
            self._told = False
            self._backoff.reset()

    def _try_later(self, c: Any) -> None:
        if not self._told:
            self._told = True
            logger.error(
                "Another worker answers to the node name %s, or this worker's lost connection still does: remote "
                "control is off here until that is gone. Give each worker a name of its own, with the option -n",
                c.hostname,
            )
        self._retry = c.hub.call_later(self._backoff.pause(), self._again, c)

    def _again(self, c: Any) -> None:
        self._retry = None
        if c.connection is not None and c.connection.connected:
            self.start(c)

    def _cancel(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def stop(self, c: Any) -> None:
        self._cancel()
        super().stop(c)

    shutdown = stop
