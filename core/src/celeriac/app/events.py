"""The events of one app: ``app.events``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery


class Events:
    """Classes for sending, receiving and gathering events, each bound to the app."""

    receiver_cls: Any = "celeriac.events.receiver:EventReceiver"
    dispatcher_cls: Any = "celeriac.events.dispatcher:EventDispatcher"
    state_cls: Any = "celeriac.events.state:State"

    def __init__(self, app: Celery) -> None:
        self.app = app

    @cached_property
    def Receiver(self) -> Any:
        """The class of receivers: ``app.events.Receiver(connection, handlers={"*": print}).capture()``."""
        return self.app.subclass_with_self(self.receiver_cls, reverse="events.Receiver")

    @cached_property
    def Dispatcher(self) -> Any:
        """The class of dispatchers: ``app.events.Dispatcher(connection).send("custom-event", field=1)``."""
        return self.app.subclass_with_self(self.dispatcher_cls, reverse="events.Dispatcher")

    @cached_property
    def State(self) -> Any:
        """The class that gathers events to a picture of the cluster."""
        return self.app.subclass_with_self(self.state_cls, reverse="events.State")

    @contextmanager
    def default_dispatcher(
        self, hostname: str | None = None, enabled: bool = True, buffer_while_offline: bool = False
    ) -> Iterator[Any]:
        """A dispatcher for a few events, on a connection that the app keeps.

        Its `send` raises what the transport raises when the broker is out of reach.
        """
        with (
            self.app.producer_or_acquire() as producer,
            self.Dispatcher(None, hostname, enabled, producer.channel, buffer_while_offline) as dispatcher,
        ):
            yield dispatcher
