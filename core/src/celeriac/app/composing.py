"""The part of an app that is put together from classes: remote control, events, logging, workers, beat."""

from __future__ import annotations

from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from celeriac.app.belonging import OWNER, PLACE
from celeriac.app.names import symbol
from celeriac.app.sending import SendingApp

if TYPE_CHECKING:
    from kombu.clocks import LamportClock

    from celeriac.results.async_result import AsyncResult
    from celeriac.results.group_result import GroupResult
    from celeriac.results.result_set import ResultSet


class ComposedApp(SendingApp):
    """What a `Celery` is made of.

    Each class is a type or a dotted name, given to the constructor or set on a subclass, and is loaded when its part
    is first asked for.
    """

    control_cls: Any = "celeriac.app.control:Control"
    events_cls: Any = "celeriac.app.events:Events"
    log_cls: Any = "celeriac.app.log:Logging"
    task_cls: Any = "celeriac.app.task:Task"

    def subclass_with_self(
        self,
        Class: Any,  # the name that callers give
        name: str | None = None,
        attribute: str = "app",
        reverse: str | None = None,
        keep_reduce: bool = False,
        **kw: Any,
    ) -> type[Any]:
        """A subclass of `Class` (a type or a dotted name) that knows this app as its `attribute`.

        Its instances are pickled by `reverse`, the attribute of the app that holds the class (default: its name), so
        that they come back as those of the app there; `keep_reduce` leaves that to the class itself.  `kw` are further
        attributes.
        """
        base: type[Any] = symbol(Class)
        path = reverse or base.__name__
        members: dict[str, Any] = {attribute: self, "__module__": base.__module__, "__doc__": base.__doc__, **kw}
        if not keep_reduce:
            members["__reduce__"] = lambda instance: (_restore, (self, path, instance.__reduce_args__()))
        return type(name or base.__name__, (base,), members)

    def create_task_cls(self) -> type[Any]:
        """A new base class of tasks of this app."""
        return self.subclass_with_self(self.task_cls, name="Task", keep_reduce=True, abstract=True)

    @cached_property
    def clock(self) -> LamportClock:
        """The logical clock of this process: events and control messages carry it and move it on."""
        from kombu.clocks import LamportClock  # Kombu is loaded by the first message, not by the app

        return LamportClock()

    @cached_property
    def control(self) -> Any:
        """Remote control of workers."""
        return symbol(self.control_cls)(app=self)

    @cached_property
    def events(self) -> Any:
        """Sending and receiving events."""
        return symbol(self.events_cls)(app=self)

    @cached_property
    def log(self) -> Any:
        """The setup of logging."""
        return symbol(self.log_cls)(app=self)

    @cached_property
    def Worker(self) -> type[Any]:
        """The class of this app's workers; ``app.Worker(concurrency=4).start()`` runs one."""
        return self.subclass_with_self("celeriac.worker.boot:WorkController", name="Worker")

    @cached_property
    def WorkController(self) -> type[Any]:
        """The same by its other name."""
        return self.Worker

    @cached_property
    def Beat(self) -> type[Any]:
        """The class of this app's beat; ``app.Beat().run()`` runs it."""
        return self.subclass_with_self("celeriac.beat:Beat")

    @cached_property
    def AsyncResult(self) -> type[AsyncResult[Any]]:
        """The class of this app's results of tasks; ``app.AsyncResult(id)`` is that of the task with that id."""
        return self._result_class("celeriac.results.async_result:AsyncResult", __slots__=())

    @cached_property
    def GroupResult(self) -> type[GroupResult]:
        """The class of this app's results of groups."""
        return self._result_class("celeriac.results.group_result:GroupResult")

    @cached_property
    def ResultSet(self) -> type[ResultSet]:
        """The class of this app's sets of results, which belong together as one."""
        return self._result_class("celeriac.results.result_set:ResultSet")

    def _result_class(self, home: str, **attributes: Any) -> type[Any]:
        """A class of results that ask this app's store, and are pickled without it."""
        name = home.partition(":")[2]
        return self.subclass_with_self(home, attribute=OWNER, keep_reduce=True, **{PLACE: name}, **attributes)


def _restore(app: Any, path: str, args: tuple[Any, ...]) -> Any:
    return attrgetter(path)(app)(*args)
