"""A task's own `Request` class: told in the worker's main process how each of the task's runs has ended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celeriac.app.names import symbol
from celeriac.app.task_options import DEFAULT_REQUEST, DEFAULT_STRATEGY
from celeriac.app.tracing import ErrorInfo
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import ImproperlyConfigured, Retry, TaskError, WorkerLostError

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.pool import Report
    from celeriac.worker.open_jobs import OpenJob

logger = logging.getLogger("celeriac.worker.request")


class Request:
    """One message of a task in the worker's main process, made when its run has ended.

    A subclass, given as a task's `Request`, overrides the ``on_`` methods; those here do nothing, because the worker
    has done its part already: it has stored, acked and logged.  The main process never decodes a body, so arguments
    and values are known as their reprs.
    """

    def __init__(self, job: OpenJob, app: Celery) -> None:
        headers = job.job.headers
        self.app = app
        #: The task itself.
        self.task = job.task
        self.id = self.task_id = job.id
        self.name = self.task_name = job.name
        #: The headers of the message.
        self.request_dict: Mapping[str, Any] = headers
        self.delivery_info = job.job.delivery_info
        self.correlation_id = job.job.properties.get("correlation_id")
        self.reply_to = job.job.properties.get("reply_to")
        self.argsrepr: str | None = headers.get("argsrepr")
        self.kwargsrepr: str | None = headers.get("kwargsrepr")
        self.root_id: str | None = headers.get("root_id")
        self.parent_id: str | None = headers.get("parent_id")
        self.group: str | None = headers.get("group")
        self.group_index: int | None = headers.get("group_index")
        #: The hard and the soft limit, in seconds.
        self.time_limits = tuple(headers.get("timelimit") or (None, None))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}[{self.id}] {self.argsrepr} {self.kwargsrepr}>"

    def on_success(self, failed__retval__runtime: tuple[bool, Any, float | None], **kwargs: Any) -> None:
        """The task has returned: False, the repr of the value, and the seconds that it took."""

    def on_retry(self, exc_info: ErrorInfo) -> None:
        """The task is to be tried again."""

    def on_failure(self, exc_info: ErrorInfo, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """The task has raised, or its process has died.

        ``exc_info.exception`` is a `TaskError` whose text is the repr of what the task raised, or a `WorkerLostError`.
        """

    def on_timeout(self, soft: bool, timeout: float | None) -> None:
        """A time limit of `timeout` seconds has ended the task; after a soft one `on_failure` is called too."""


class CustomRequests:
    """Tells the requests of those tasks that have a class of their own."""

    def __init__(self, app: Celery) -> None:
        """Raises `ImproperlyConfigured` for a task whose `Request` or `Strategy` cannot be used."""
        self.app = app
        self._kinds: dict[Any, type[Request]] = {}
        for task in app.tasks.values():
            check_strategy(task)
            if task.Request is not DEFAULT_REQUEST:
                self._kind(task)

    def tell(self, job: OpenJob, report: Report) -> None:
        """How a run has ended; what the user's method raises is logged and changes nothing."""
        if job.task is None or job.task.Request is DEFAULT_REQUEST:  # nearly all
            return
        try:
            _tell(self._kind(job.task)(job, self.app), report)
        except Exception:
            logger.exception("The Request of task %s[%s] raised", job.name, job.id)

    def _kind(self, task: Any) -> type[Request]:
        given = task.Request
        kind = self._kinds.get(given)
        if kind is None:
            kind = _resolved(task, "Request", given)
            if not (isinstance(kind, type) and issubclass(kind, Request)):
                raise ImproperlyConfigured(
                    f"task {task.name!r}: its Request {given!r} is no subclass of celeriac.worker.request.Request"
                )
            self._kinds[given] = kind
        return kind


def check_strategy(task: Any) -> None:
    """Raises `ImproperlyConfigured` for a `Strategy` other than ours: one works on what only Celery's worker has."""
    if task.Strategy is not DEFAULT_STRATEGY and task.Strategy != DEFAULT_STRATEGY:
        raise ImproperlyConfigured(
            f"task {task.name!r} has a Strategy of its own, {task.Strategy!r}, which this worker cannot use: to see "
            "messages before they run give the hook celeriac_consume_middleware, to see how they end a Request or "
            "the hook celeriac_outcome_listeners"
        )


def _resolved(task: Any, what: str, given: Any) -> Any:
    try:
        return symbol(given)
    except (ImportError, ValueError) as error:
        raise ImproperlyConfigured(f"task {task.name!r}: its {what} {given!r} cannot be found: {error}") from error


def _tell(request: Request, report: Report) -> None:
    kind, detail = report.kind, report.detail
    hard, soft = request.time_limits
    if kind is OutcomeKind.SUCCESS:
        request.on_success((False, detail, report.runtime))
    elif kind is OutcomeKind.RETRY:
        request.on_retry(_info(Retry(detail), report))
    elif kind is OutcomeKind.HARD_TIME_LIMIT:
        request.on_timeout(False, hard)
    elif kind is OutcomeKind.WORKER_LOST:
        request.on_failure(_info(WorkerLostError(detail), report))
    elif kind in {OutcomeKind.FAILURE, OutcomeKind.INVALID, OutcomeKind.STORE_FAILED}:
        if (detail or "").startswith("SoftTimeLimitExceeded("):
            request.on_timeout(True, soft)
        request.on_failure(_info(TaskError(detail), report))


def _info(error: Exception, report: Report) -> ErrorInfo:
    return ErrorInfo(error, report.traceback or str(error), type(error))
