"""The current app and task of this thread (``celery._state``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kombu.utils.imports import symbol_by_name


def _current() -> Any:
    return symbol_by_name("celeriac.app:current")


def enable_trace() -> None:
    """Nothing: who uses the current app is told of by `celery.contrib.testing.app.set_trap`."""


disable_trace = enable_trace


def connect_on_app_finalize(callback: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Call `callback` with each app when its tasks are needed."""
    symbol_by_name("celeriac.app.sharing:connect_shared")(callback)
    return callback


def get_current_object() -> Any:
    """The current app."""
    return _current().get_current_app()


class _TaskStack:
    """The tasks that run here now, the innermost on top."""

    @property
    def top(self) -> Any:
        """The one on top; None where none runs."""
        return _current().get_current_task()

    def push(self, task: Any) -> None:
        """Note that a task runs, with the request that it has."""
        _current().push_running(task, task.request)

    def pop(self) -> Any:
        """Note that the one on top has ended, and give it."""
        task = self.top
        if task is not None:
            _current().drop_running(task)
        return task


_task_stack = _TaskStack()
push_current_task = _task_stack.push
pop_current_task = _task_stack.pop


def __getattr__(name: str) -> Any:
    if name == "tasks":  # of celery.registry
        return get_current_object().tasks
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "connect_on_app_finalize",
    "disable_trace",
    "enable_trace",
    "pop_current_task",
    "push_current_task",
]
