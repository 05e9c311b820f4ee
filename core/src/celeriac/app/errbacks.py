"""Who is told that a task has failed: the signatures of ``link_error``."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context

logger = logging.getLogger("celeriac.app.trace")


def call_errbacks(app: Celery, request: Context, error: BaseException, traceback: str | None) -> None:
    """Tell each errback of `request`; one that cannot be told is logged."""
    for errback in request.errbacks or ():
        try:
            call_errback(app, request, errback, error, traceback)
        except Exception:
            logger.exception("Could not call errback %r of task %s[%s]", errback, request.task, request.id)


def call_errback(app: Celery, request: Context, errback: Any, error: BaseException, traceback: str | None) -> None:
    """Tell one errback.

    A function that takes ``(request, exc, traceback)`` is called here and now, because an exception does not cross the
    broker as it is; any other is sent as a task, with the id of the failed one.
    """
    signature = app.signature(errback)
    if _takes_error(app, signature):
        signature(request, error, traceback)
    elif request.is_eager:
        signature.apply((request.id,))
    else:
        signature.apply_async((request.id,), parent_id=request.id, root_id=request.root_id or request.id)


def _takes_error(app: Celery, signature: Any) -> bool:
    task = app.tasks.get(signature["task"])
    if task is None or signature["immutable"] or signature["subtask_type"]:
        return False
    try:
        parameters = inspect.signature(task.run)
    except (TypeError, ValueError):  # a builtin that does not say what it takes
        return False

    def fits(*first: Any) -> bool:
        try:
            parameters.bind(*first, *signature["args"], **signature["kwargs"])
        except TypeError:
            return False
        return True

    # A bound task may want to retry, which only a message allows: it is called only if an id alone would not do.
    return fits("request", "exc", "traceback") and not (inspect.ismethod(task.run) and fits("id"))
