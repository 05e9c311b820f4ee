"""Which app and which task are the current ones, per thread and, for tasks, per context."""

from __future__ import annotations

import os
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context
    from celeriac.app.task import Task


class _Local(threading.local):
    app: Celery | None = None


_local = _Local()
_default_app: Celery | None = None
_default_lock = threading.Lock()

#: The (task, request, what ran before) of the task that runs in this context, None outside of tasks.
_running: ContextVar[tuple[Any, Context, Any] | None] = ContextVar("celeriac_running_task", default=None)


def set_current_app(app: Celery | None) -> None:
    """Make `app` the current one of this thread."""
    _local.app = app


def set_default_app(app: Celery | None) -> None:
    """Make `app` the one that threads without a current app use."""
    global _default_app  # noqa: PLW0603  # the one default of the process
    _default_app = app


def offer_default_app(app: Celery) -> None:
    """Make `app` the default where there is none: the first app of a program is also that of its other threads."""
    if _default_app is None:
        set_default_app(app)


def forget_app(app: Celery) -> None:
    """`app` is closed: it is no longer current here, nor the default."""
    if _local.app is app:
        _local.app = None
    if _default_app is app:
        set_default_app(None)


def get_current_app() -> Celery:
    """The app of this thread, else the default one, which is made on first use."""
    if _local.app is not None:
        return _local.app
    with _default_lock:
        if _default_app is None:
            set_default_app(_make_default())
        assert _default_app is not None
        return _default_app


def both_apps() -> tuple[Celery | None, Celery | None]:
    """The app of this thread, and the default one, as far as there are any: for who will put them back."""
    return _local.app, _default_app


def peek_current_app() -> Celery | None:
    """The app of this thread, else the default one, if there is one."""
    return _local.app or _default_app


_app_factory: Any = None


def set_app_factory(factory: Any) -> None:
    """Tell how the default app is made (the app module does, so that nothing here needs it)."""
    global _app_factory  # noqa: PLW0603  # set once, at import
    _app_factory = factory


def _make_default() -> Celery:
    app: Celery = _app_factory("default", set_as_current=False, loader=os.environ.get("CELERY_LOADER") or "default")
    return app


def get_current_task() -> Task[Any, Any] | None:
    """The task that runs here now."""
    running = _running.get()
    return running[0] if running else None


def get_current_worker_task() -> Task[Any, Any] | None:
    """The task that a worker runs here now: the outermost of those that run."""
    running = _running.get()
    while running is not None and running[2] is not None:
        running = running[2]
    return running[0] if running else None


def get_current_request() -> Context | None:
    """The request of the task that runs here now."""
    running = _running.get()
    return running[1] if running else None


def get_request_of(task: Any) -> Context | None:
    """The request of the innermost run of `task` here; None where it does not run, or was called as a function."""
    running = _running.get()
    while running is not None:
        if running[0] is task:
            return running[1]
        running = running[2]
    return None


def push_running(task: Any, request: Context) -> Any:
    """Note that `task` runs; the token goes to `pop_running`."""
    return _running.set((task, request, _running.get()))


def pop_running(token: Any) -> None:
    """Note that the task has ended."""
    _running.reset(token)


def drop_running(task: Any) -> Context | None:
    """Note that the innermost run of `task` here has ended, and give its request; None where it does not run."""
    above = []
    running = _running.get()
    while running is not None and running[0] is not task:
        above.append(running)
        running = running[2]
    if running is None:
        return None
    left = running[2]
    for other_task, request, _ in reversed(above):
        left = (other_task, request, left)
    _running.set(left)
    return running[1]


def get_requests_of(task: Any) -> list[Context]:
    """The requests of all runs of `task` here, the innermost last."""
    found = []
    running = _running.get()
    while running is not None:
        if running[0] is task:
            found.append(running[1])
        running = running[2]
    return found[::-1]
