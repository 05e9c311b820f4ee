"""What is told when a delivery ends: outcome listeners, logs, signals, and the result where no child could store it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celeriac import signals, states
from celeriac.app.context import Context
from celeriac.contracts.outcome import Outcome, OutcomeKind
from celeriac.contracts.pool import Report
from celeriac.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError
from celeriac.protocol.headers import HEADER_KEYS
from celeriac.protocol.reprs import DEFAULT_MAXLEN, safe_repr
from celeriac.protocol.shapes import MAX_NAME, is_text
from celeriac.worker.bereaved import Bereaved
from celeriac.worker.debts import Debt, Debts
from celeriac.worker.next_try import NextTry, has_another_try
from celeriac.worker.request import CustomRequests
from celeriac.worker.unread import unread_request

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import Delivery, OutgoingMessage
    from celeriac.contracts.loop import EventLoop
    from celeriac.contracts.pool import Job
    from celeriac.worker.open_jobs import OpenJob
    from celeriac.worker.task_events import TaskEvents

logger = logging.getLogger("celeriac.worker.outcome")

_LEVELS = {
    OutcomeKind.SUCCESS: logging.INFO,
    OutcomeKind.RETRY: logging.INFO,
    OutcomeKind.IGNORED: logging.INFO,
    OutcomeKind.REVOKED: logging.INFO,
    OutcomeKind.EXPIRED: logging.INFO,
    OutcomeKind.REJECTED: logging.WARNING,
    OutcomeKind.STORE_FAILED: logging.CRITICAL,
}
_REVOKED = frozenset({OutcomeKind.REVOKED, OutcomeKind.EXPIRED})
#: Refusals of which the caller learns nothing.
_SILENT = frozenset({OutcomeKind.IGNORED, OutcomeKind.REJECTED})


class Endings:
    """Told once for each delivery that has ended."""

    def __init__(self, app: Celery, loop: EventLoop, listeners: Sequence[Callable[[Outcome], None]] = ()) -> None:
        self.app = app
        self.debts = Debts(app, loop)
        self._listeners = tuple(listeners)
        self._requests = CustomRequests(app)
        #: Who tells the cluster, where that is wanted.
        self.watcher: TaskEvents | None = None

    # -- jobs ---------------------------------------------------------------------------------------------------------

    def ended(self, job: OpenJob, report: Report, requeued: bool, signum: int | None = None) -> None:
        """A job has ended; `signum` is the signal by which a revoked one was."""
        kind = report.kind
        level = _LEVELS.get(kind, logging.ERROR)
        if kind is OutcomeKind.FAILURE and report.runtime is not None:
            level = logging.DEBUG  # whoever ran the task has logged it, and has the traceback
        if logger.isEnabledFor(level):
            _log(level, job, report, requeued)
        self._requests.tell(job, report)
        if self.watcher is not None:
            self.watcher.ended(job, report, requeued, signum)
        if self._listeners:
            headers = job.job.headers
            exception = None if kind is OutcomeKind.SUCCESS else report.detail
            retries = headers.get("retries") or 0
            self._tell(
                Outcome(kind, job.id, job.name, job.queue, retries, report.runtime, exception, requeued, headers)
            )

    def lost(
        self,
        job: OpenJob,
        report: Report,
        then: Callable[[], None],
        instead: Callable[[], None],
        letter: OutgoingMessage | None = None,
        signum: int | None = None,
    ) -> None:
        """The child that ran the job is gone: store that here and tell whoever waits for the task, then call `then`.

        A task that asks for it is sent once more instead.

        If the worker ends before that was possible, `instead` is called where the message may be run again.  A
        `letter` is published before.  `signum` is the signal by which a revoked task was ended.
        """
        error: Exception
        state = states.FAILURE
        if report.kind is OutcomeKind.REVOKED:
            state, error = states.REVOKED, TaskRevokedError("terminated")
            tell_revoked(job.task or job.name, job.job.headers, terminated=True, signum=signum)
        elif report.kind is OutcomeKind.HARD_TIME_LIMIT:
            limit = (job.job.headers.get("timelimit") or [None])[0]
            error = TimeLimitExceeded(limit)
        else:
            error = WorkerLostError(report.detail or "the process that ran the task has died")
        bereaved: Bereaved | NextTry
        if report.kind is OutcomeKind.WORKER_LOST and has_another_try(job):
            state, bereaved = states.RETRY, NextTry(job)
        else:
            # The errbacks of a revoked task are not called: nothing has gone wrong.
            bereaved = Bereaved(job.job, state, error, has_run=state == states.FAILURE)
        result = None
        home = self.app.results.of_task(job.task)
        if not home.backend.disabled and _wants_error(job.task, job.job.headers):
            result = self.app.results.entry(job.id, state, error, request=unread_request(job.job))
        self.debts.add(Debt(result, bereaved, then, None if job.early else instead, letter, home))

    def had_succeeded(self, job: OpenJob, value: Any, then: Callable[[], None]) -> None:
        """The worker that ran the job has died after `value` was stored, and perhaps before anybody was told.

        If it was the last part of a chord, the body may not have been sent: that is seen to before `then` is called.
        """
        is_part = bool(job.job.headers.get("group"))
        bereaved = Bereaved(job.job, states.SUCCESS, value, has_run=False) if is_part else None
        self.debts.add(Debt(None, bereaved, then))
        size = DEFAULT_MAXLEN if job.task is None else job.task.resultrepr_maxsize
        self.ended(job, Report(job.number, OutcomeKind.SUCCESS, None, safe_repr(value, size)), requeued=False)

    def bury(self, letter: OutgoingMessage, then: Callable[[], None], instead: Callable[[], None]) -> None:
        """Publish the dead letter of a job whose result is stored, then call `then`; `instead` as for `lost`."""
        self.debts.add(Debt(None, None, then, instead, letter))

    # -- messages that do not run -------------------------------------------------------------------------------------

    def refused(
        self,
        message: Job | Delivery,
        queue: str,
        kind: OutcomeKind,
        error: Exception | None,
        then: Callable[[], None],
        instead: Callable[[], None],
        letter: OutgoingMessage | None = None,
    ) -> None:
        """A message will not run; `then` settles it, once its result is stored if it gets one, and its `letter` sent.

        If the worker ends before that was possible, `instead` is called.
        """
        headers: Any = message.headers
        if not isinstance(headers, Mapping):
            headers = {}
        task_id, name = _name(headers.get("id")), _name(headers.get("task"))
        if kind in _REVOKED:
            expired = kind is OutcomeKind.EXPIRED
            error = error or TaskRevokedError("expired" if expired else "revoked")
            logger.info("Discarding %s task: %s[%s]", kind, name, task_id)
            tell_revoked(self.app.tasks.get(name) or name, headers, expired=expired)
        else:
            logger.error(
                "%s refused as %s: %s (sent by %s, content type %s)",
                f"Message of task {name}[{task_id}]" if name or task_id else f"Message in queue {queue}, of no task,",
                kind,
                error,
                str(headers.get("origin") or "somebody who does not say")[:200],
                message.content_type or "none",
            )
        state = states.REVOKED if kind in _REVOKED else states.FAILURE
        debt = Debt(None, None, then, instead, letter)
        if task_id and error is not None and kind not in _SILENT and not self._may_be_forged(kind):
            task = self.app.tasks.get(name)
            debt.home = self.app.results.of_task(task)
            if not debt.home.backend.disabled and _wants_error(task, headers):
                request = None if kind is OutcomeKind.INVALID else unread_request(message)
                debt.result = self.app.results.entry(task_id, state, error, request=request)
            if kind is not OutcomeKind.INVALID:
                debt.bereaved = Bereaved(message, state, error, has_run=False)
        if debt.result is None and debt.bereaved is None and letter is None:
            then()
        else:
            self.debts.add(debt)
        if self.watcher is not None:
            self.watcher.refused(task_id, headers, kind, error)
        if self._listeners:
            retries = headers.get("retries")
            self._tell(
                Outcome(
                    kind,
                    task_id,
                    name,
                    queue,
                    retries if isinstance(retries, int) else 0,
                    exception=None if error is None else repr(error),
                    headers=dict(headers),
                )
            )

    def _may_be_forged(self, kind: OutcomeKind) -> bool:
        """Whether nothing that the message says may be believed, the id of its task included."""
        return kind is OutcomeKind.INVALID and self.app.serializers.is_signed_only

    def _tell(self, outcome: Outcome) -> None:
        for listener in self._listeners:
            try:
                listener(outcome)
            except Exception:
                logger.exception("Outcome listener %r raised", listener)


def _wants_error(task: Any, headers: Mapping[str, Any]) -> bool:
    """Whether an error of this call is stored; `task` is None where it is not known here."""
    ignored = headers.get("ignore_result")
    if task is None:
        return not ignored
    if ignored is None:
        ignored = task.ignore_result
    return not ignored or bool(task.store_errors_even_if_ignored)


def tell_revoked(
    sender: Any,
    headers: Mapping[str, Any],
    terminated: bool = False,
    signum: int | None = None,
    expired: bool = False,
) -> None:
    """Send the signal task_revoked, where somebody listens; `sender` is the task, or the name of one unknown here."""
    if signals.task_revoked:
        request = context_of(headers)
        signals.task_revoked.send(sender=sender, request=request, terminated=terminated, signum=signum, expired=expired)


def context_of(headers: Mapping[str, Any]) -> Context:
    """What receivers of signals know of a task whose message says so."""
    return Context({name: value for name, value in headers.items() if name in HEADER_KEYS}, called_directly=False)


def _log(level: int, job: OpenJob, report: Report, requeued: bool) -> None:
    if report.kind is OutcomeKind.SUCCESS:
        if report.runtime is None:
            logger.log(level, "Task %s[%s] had succeeded before its worker died: %s", job.name, job.id, report.detail)
        else:
            logger.log(level, "Task %s[%s] succeeded in %.6fs: %s", job.name, job.id, report.runtime, report.detail)
        return
    more = "; its message goes back to the queue" if requeued else ""
    logger.log(level, "Task %s[%s] ended: %s: %s%s", job.name, job.id, report.kind, report.detail, more)


def _name(value: Any) -> str:
    """An id or name that a store can keep; empty for anything else."""
    return value if isinstance(value, str) and len(value) <= MAX_NAME and is_text(value) else ""
