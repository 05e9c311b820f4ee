"""Messages that may be doubles of one that has been run before: they are asked about before their task runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from celeriac import states
from celeriac.canvas.admission import ADMISSION, is_admitted
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Report
from celeriac.exceptions import BackendError

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.app.context import Context

logger = logging.getLogger("celeriac.worker.execution")


class Doubles:
    """One per executor."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._looks_for_success = bool(app.conf.worker_deduplicate_successful_tasks)

    def may_be(self, job: Job, task: Any, request: Context) -> bool:
        """Whether `refusal` has to be asked; costs nothing."""
        if request.headers and ADMISSION in request.headers:
            return True
        return bool(self._looks_for_success and task.acks_late and job.delivery_info["redelivered"])

    def refusal(self, job: Job, request: Context) -> Report | None:
        """How a message ends that is a double; None for one that is to be run.  Asks the store, and so may block."""
        mark = request.headers.get(ADMISSION) if request.headers else None
        if mark is not None:
            refused = self._of_another(job, mark)
            if refused is not None:
                return refused
        if self._looks_for_success and job.delivery_info["redelivered"] and self._has_succeeded(request):
            return Report(job.number, OutcomeKind.IGNORED, None, "it has succeeded before, when its message came first")
        return None

    def _of_another(self, job: Job, mark: str) -> Report | None:
        """The end of a message that another one has come before: of the body of a chord, or of a tick of beat."""
        try:
            if is_admitted(self.app, job.headers["id"], mark):
                return None
        except BackendError as error:  # what the store cannot be asked cannot be stored either
            return Report(job.number, OutcomeKind.STORE_FAILED, None, repr(error), False, None)
        return Report(job.number, OutcomeKind.IGNORED, None, "it was sent before, in another message", False, None)

    def _has_succeeded(self, request: Context) -> bool:
        """Whether the store says so; where it does not answer, the task runs again."""
        task_id = request.id or ""
        backend = self.app.results.of_task(self.app.tasks.get(request.task or "")).backend
        if backend.disabled:
            return False
        try:
            meta = backend.fetch([task_id]).get(task_id)
        except BackendError as error:
            logger.warning(
                "Task %s[%s] is redelivered, and may have succeeded before: %s", request.task, task_id, error
            )
            return False
        return meta is not None and meta.get("status") == states.SUCCESS
