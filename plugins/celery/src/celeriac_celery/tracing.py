"""What instrumentation replaces to see each run of a task (``celery.app.trace``), and is called where it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from kombu.utils.imports import symbol_by_name

from celeriac.contracts import Middleware
from celeriac_celery.objects import mro_lookup

#: Runs the task at hand, set by whoever calls a tracer.
_run: ContextVar[Callable[[], Any]] = ContextVar("celeriac_celery_run")


class trace_ok_t(NamedTuple):  # noqa: N801  # Celery's name
    """What a tracer gives: the value, what has gone wrong, the seconds, and how the value looks."""

    retval: Any
    info: Any
    runtime: float
    retstr: str


class TraceInfo:
    """How a run has ended."""

    __slots__ = ("retval", "state")

    def __init__(self, state: str, retval: Any = None) -> None:
        self.state = state
        self.retval = retval


def build_tracer(name: str, task: Any, *_args: Any, **_options: Any) -> Callable[..., trace_ok_t]:
    """What runs `task`; instrumentation puts a function of its own here, which calls this one."""

    def trace_task(uuid: str, args: Any, kwargs: Any, request: Any = None) -> trace_ok_t:
        begin = time.monotonic()
        return trace_ok_t(_run.get()(), None, time.monotonic() - begin, "")

    trace_task.__name__ = f"trace_{name}"
    return trace_task


_OWN: Final = build_tracer


def task_has_custom(task: Any, attr: str) -> bool:
    """Whether the class of a task has its own `attr`."""
    base = symbol_by_name("celeriac.app.task:Task")
    return mro_lookup(type(task), attr, stop={*base.__mro__}) is not None


def trace_task(task: Any, uuid: str, args: Any, kwargs: Any, request: Any = None, **opts: Any) -> Any:
    """Run a task here, as its worker would; gives what a tracer gives."""
    result = task.apply(args, kwargs, task_id=uuid)
    return trace_ok_t(result.result, None if result.successful() else TraceInfo(result.state, result.result), 0.0, "")


def setup_worker_optimizations(app: Any, hostname: str | None = None) -> None:
    """Nothing: there is no slower way."""


def reset_worker_optimizations(app: Any = None) -> None:
    """Nothing."""


def layers(app: Any) -> list[Middleware]:
    """The layer that runs tasks by their tracers, where `build_tracer` has been replaced."""
    if build_tracer is _OWN:
        return []
    return [Middleware(-1000, Tracers(app).call, "celery.app.trace")]


class Tracers:
    """The tracers of one app's tasks, made by whatever `build_tracer` is by now."""

    def __init__(self, app: Any) -> None:
        # Before the first run: instrumentation replaces `run` of the task while it makes a tracer.
        self._tracers = {name: build_tracer(name, task, app=app) for name, task in list(app.tasks.items())}

    def call(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """Run the task of the request by its tracer; raises what the task raises."""
        tracer = self._tracers.get(request.task)
        if tracer is None:
            return call_next(request)
        values: list[Any] = []
        token = _run.set(lambda: values.append(call_next(request)))
        try:
            tracer(request.id, request.args, request.kwargs, vars(request))
        finally:
            _run.reset(token)
        return values[-1] if values else None


__all__ = [
    "TraceInfo",
    "build_tracer",
    "reset_worker_optimizations",
    "setup_worker_optimizations",
    "task_has_custom",
    "trace_ok_t",
    "trace_task",
]
