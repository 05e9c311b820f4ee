"""What a process that has died or was ended could not do itself: tell the task, and the signal, that it has failed."""

from __future__ import annotations

import logging
from traceback import format_exception
from typing import TYPE_CHECKING, Any

from celeriac import signals, states
from celeriac.app.tracing import ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from celeriac.app.base import Celery
    from celeriac.app.context import Context

logger = logging.getLogger("celeriac.worker.outcome")


def tell_failure(app: Celery, request: Context, error: Exception) -> None:
    """Call ``on_failure`` and ``after_return`` of the task, and send task_failure: in the worker's main process.

    What they raise is logged.  A task that is not known here has nobody to be told.
    """
    task, task_id = app.tasks.get(request.task or ""), request.id or ""
    if task is None:
        return
    try:
        raise error
    except Exception:  # noqa: BLE001  # so that it has a traceback, as for any error
        info = ErrorInfo(error, "".join(format_exception(error)), type(error), error.__traceback__)
    args, kwargs = list(request.args or ()), request.kwargs or {}
    _quietly(task, task.on_failure, error, task_id, args, kwargs, info)
    _quietly(task, task.after_return, states.FAILURE, error, task_id, args, kwargs, info)
    signals.task_failure.send(
        sender=task,
        task_id=task_id,
        exception=error,
        args=args,
        kwargs=kwargs,
        traceback=error.__traceback__,
        einfo=info,
    )


def _quietly(task: Any, handler: Callable[..., Any], *args: Any) -> None:
    try:
        handler(*args)
    except Exception:
        logger.exception("Handler %s of task %s raised", getattr(handler, "__name__", handler), task.name)
