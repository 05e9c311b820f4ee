"""What the kernel calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celeriac.plugin import Middleware, Setting, TaskOption, hookimpl


@hookimpl
def celeriac_settings() -> Iterable[Setting]:
    """The budget of calls that have none of their own."""
    yield Setting(
        "deadline_default",
        "seconds",
        None,
        "Seconds that a task has for itself and everything it calls, where nothing else says; None: for ever.",
        minimum=0,
    )


@hookimpl
def celeriac_task_options() -> Iterable[TaskOption]:
    """``@app.task(deadline=30)``."""
    from celeriac_deadline.layers import OPTION

    yield OPTION


@hookimpl
def celeriac_publish_middleware(app: Any) -> Iterable[Middleware]:
    """Far out, so that whatever seals or counts the message sees the header."""
    from celeriac_deadline.layers import stamp

    yield Middleware(10, stamp(app), "deadline")


@hookimpl
def celeriac_consume_middleware() -> Iterable[Middleware]:
    """Far out, because it is cheap and saves the work of the others."""
    from celeriac_deadline.layers import drop_if_late

    yield Middleware(10, drop_if_late, "deadline")


@hookimpl
def celeriac_execute_middleware() -> Iterable[Middleware]:
    """Far out, so that the budget covers what other plugins do around the task."""
    from celeriac_deadline.layers import run_in_budget, run_in_budget_async

    yield Middleware(10, run_in_budget, "deadline", run_in_budget_async)
