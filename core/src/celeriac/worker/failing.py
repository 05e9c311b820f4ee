"""What a process that has died or was ended could not do itself: tell the task, and the signal, that it has failed."""

from __future__ import annotations

from traceback import format_exception
from typing import TYPE_CHECKING

from celeriac import states
from celeriac.app import tracing

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context


def tell_failure(app: Celery, request: Context, error: Exception) -> None:
    """Send task_failure, and call ``on_failure`` and ``after_return`` of the task: in the worker's main process.

    What they raise is logged.  A task that is not known here has nobody to be told.
    """
    task, task_id = app.tasks.get(request.task or ""), request.id or ""
    if task is None:
        return
    try:
        raise error
    except Exception:  # noqa: BLE001  # so that it has a traceback, as for any error
        info = tracing.ErrorInfo(error, "".join(format_exception(error)), type(error), error.__traceback__)
    args, kwargs = list(request.args or ()), request.kwargs or {}
    tracing.tell_failure(task, task_id, error, args, kwargs, info)
    tracing.quietly(task, task.after_return, states.FAILURE, error, task_id, args, kwargs, info)
