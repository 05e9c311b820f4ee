"""What is told when a delivery ends: outcome listeners, logs, and results that no child could store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from celeriac import signals, states
from celeriac.contracts.outcome import Outcome, OutcomeKind
from celeriac.exceptions import BackendError, CeleryError, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from celeriac.protocol.body import decode_body

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.backend import StoredResult
    from celeriac.contracts.broker import Delivery
    from celeriac.contracts.pool import Report
    from celeriac.worker.open_jobs import OpenJob

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


class Endings:
    """Called once for each delivery that has ended."""

    def __init__(self, app: Celery, listeners: Sequence[Callable[[Outcome], None]] = ()) -> None:
        self.app = app
        self._listeners = tuple(listeners)
        self._stores = not app.results.backend.disabled
        #: Results that the store did not take yet, each with what is to be done then.
        self._owed: list[tuple[StoredResult, Callable[[], None]]] = []

    # -- outcomes -----------------------------------------------------------------------------------------------------

    def ended(self, job: OpenJob, report: Report, requeued: bool) -> None:
        """A job has ended."""
        kind = report.kind
        level = _LEVELS.get(kind, logging.ERROR)
        if logger.isEnabledFor(level):
            self._log(level, job.name, job.id, report, requeued)
        if self._listeners:
            headers = job.job.headers
            exception = None if kind is OutcomeKind.SUCCESS else report.detail
            self._tell(
                Outcome(
                    kind,
                    job.id,
                    job.name,
                    job.queue,
                    headers.get("retries") or 0,
                    report.runtime,
                    exception,
                    requeued,
                    headers,
                )
            )

    def _log(self, level: int, name: str, task_id: str, report: Report, requeued: bool) -> None:
        more = "; its message goes back to the queue" if requeued else ""
        if report.kind is OutcomeKind.SUCCESS:
            logger.log(level, "Task %s[%s] succeeded in %.6fs: %s", name, task_id, report.runtime, report.detail)
        else:
            logger.log(level, "Task %s[%s] ended: %s: %s%s", name, task_id, report.kind, report.detail, more)

    def refused(self, delivery: Delivery, kind: OutcomeKind, error: Exception | None) -> None:
        """A message will not run."""
        headers = delivery.headers
        task_id, name = _text(headers.get("id")), _text(headers.get("task"))
        if kind in _REVOKED:
            expired = kind is OutcomeKind.EXPIRED
            error = error or TaskRevokedError("expired" if expired else "revoked")
            logger.info("Discarding %s task: %s[%s]", kind, name, task_id)
            if signals.task_revoked:
                signals.task_revoked.send(sender=name, request=delivery, terminated=False, signum=None, expired=expired)
        shown = self._stores and not headers.get("ignore_result")
        if shown and task_id and error is not None and kind not in {OutcomeKind.IGNORED, OutcomeKind.REJECTED}:
            state = states.REVOKED if kind in _REVOKED else states.FAILURE
            self._owed.append((self.app.results.entry(task_id, state, error), _nothing))
            self._pay()
        if self._listeners:
            self._tell(
                Outcome(
                    kind,
                    task_id,
                    name,
                    delivery.queue,
                    exception=None if error is None else repr(error),
                    headers=dict(headers),
                )
            )

    def _tell(self, outcome: Outcome) -> None:
        for listener in self._listeners:
            try:
                listener(outcome)
            except Exception:
                logger.exception("Outcome listener %r raised", listener)

    # -- results that no child stored ---------------------------------------------------------------------------------

    def lost(self, job: OpenJob, report: Report, then: Callable[[], None]) -> None:
        """The child that ran the job is gone: store the failure here, then call `then`."""
        error: Exception
        if report.kind is OutcomeKind.HARD_TIME_LIMIT:
            limit = (job.job.headers.get("timelimit") or [None])[0]
            error = TimeLimitExceeded(limit)
        else:
            error = WorkerLostError(f"Worker exited prematurely: {report.detail or 'the process died'}.")
        self._errbacks(job)
        task = job.task
        ignored = job.job.headers.get("ignore_result")
        ignored = task.ignore_result if ignored is None else ignored
        if self._stores and (not ignored or task.store_errors_even_if_ignored):
            self._owed.append((self.app.results.entry(job.id, states.FAILURE, error), then))
            self._pay()
        else:
            then()

    def _errbacks(self, job: OpenJob) -> None:
        """Only now is the body of a lost task read here, for those who wait for its failure."""
        try:
            body = decode_body(self.app.serializers.decode(job.job.body, job.job.content_type))
            for errback in body.errbacks or ():
                self.app.signature(errback).apply_async((job.id,), parent_id=job.id)
        except CeleryError as error:
            logger.error("Errbacks of lost task %s[%s] not sent: %s", job.name, job.id, error)
        except self.app.connection_errors as error:
            logger.error("Errbacks of lost task %s[%s] not sent: %s", job.name, job.id, error)  # as above

    def _pay(self) -> bool:
        """Store what is owed; False while the store is out of reach."""
        if not self._owed:
            return True
        owed, self._owed = self._owed, []
        try:
            self.app.results.backend.store([result for result, _ in owed])
        except BackendError as error:
            self._owed = owed + self._owed
            logger.error("Results of %d tasks that no process could store wait for the store: %s", len(owed), error)
            return False
        for _, then in owed:
            then()
        return True

    def flush(self) -> bool:
        """Try again to store what is owed."""
        return self._pay()

    @property
    def owes(self) -> int:
        """Results that wait for the store."""
        return len(self._owed)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _nothing() -> None:
    return None
