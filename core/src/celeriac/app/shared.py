"""Tasks of a library that does not know its app: ``@shared_task``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import WRAPPER_ASSIGNMENTS
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from celeriac.app.current import get_current_app
from celeriac.app.definition import define
from celeriac.app.proxies import Proxy
from celeriac.app.sharing import connect_shared

if TYPE_CHECKING:
    from celeriac.app.decorators import BoundTaskDecorator, CoroutineTask, TaskDecorator
    from celeriac.app.task import Task

P = ParamSpec("P")
R = TypeVar("R")


class SharedTask(Proxy):
    """Stands for the task of that name on whichever app is the current one."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        # What Python and its tools read of a function is known without an app.
        known = {"_function": function, "_options": options, "__wrapped__": function}
        self.__dict__.update(known | {each: getattr(function, each, None) for each in WRAPPER_ASSIGNMENTS})

    def _get_current_object(self) -> Any:
        """The task of the current app."""
        app = get_current_app()
        name = self._options.get("name") or app.gen_task_name(self._function.__name__, self._function.__module__)
        return app.tasks[name]

    def __reduce__(self) -> Any:
        return self._get_current_object().__reduce__()


@overload
def shared_task(function: Callable[P, Coroutine[Any, Any, R]], /) -> CoroutineTask[P, R]: ...


@overload
def shared_task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def shared_task(*, bind: Literal[True], **options: Any) -> BoundTaskDecorator: ...


@overload
def shared_task(*, bind: Literal[False] = ..., **options: Any) -> TaskDecorator: ...


def shared_task(*args: Any, **options: Any) -> Any:
    """Make a task on every app, present and future; calling it uses the current one."""

    def make(function: Callable[..., Any]) -> Any:
        connect_shared(lambda app: define(app, function, options))
        return SharedTask(function, options)

    return make(args[0]) if args else make
