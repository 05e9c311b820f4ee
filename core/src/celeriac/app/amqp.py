"""Queues, routes and exchanges of one app: ``app.amqp``."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from celeriac.app.queues import Queues
from celeriac.app.routing import Router

if TYPE_CHECKING:
    from celeriac.app.configuring import ConfiguredApp


class AMQP:
    """Made with the app; loads Kombu when a queue is asked for."""

    def __init__(self, app: ConfiguredApp) -> None:
        self.app = app

    @cached_property
    def queues(self) -> Queues:
        """All queues by name."""
        return Queues(self.app)

    @cached_property
    def router(self) -> Router:
        """What ``task_routes`` says."""
        return Router(self.app.conf.task_routes)

    @property
    def routes(self) -> Any:
        """The routers, in order."""
        return self.router.routes

    @property
    def default_queue(self) -> Any:
        """The queue of tasks that nothing routes elsewhere."""
        return self.queues[self.app.conf.task_default_queue]

    @cached_property
    def default_exchange(self) -> Any:
        """The exchange of the default queue."""
        return self.default_queue.exchange

    def flush_routes(self) -> None:
        """Read queues and routes anew at the next use."""
        for name in ("queues", "router", "default_exchange"):
            self.__dict__.pop(name, None)
