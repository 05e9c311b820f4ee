"""What a worker tells of its tasks to whoever watches the cluster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report, Run
    from celeriac.events.dispatcher import EventDispatcher
    from celeriac.worker.consumer.consumer import Consumer
    from celeriac.worker.open_jobs import OpenJob

#: The group of these events.
GROUP: Final = "task"

_REVOKED: Final = frozenset({OutcomeKind.REVOKED, OutcomeKind.EXPIRED})


class TaskEvents:
    """One per consumer; called in the thread of the loop.

    `hears_starts`: the pool tells of each job that begins.  Where it does not, because nobody asked for events when the
    worker started, starts are found by looking at the pool now and then, or told with the end.
    """

    def __init__(self, consumer: Consumer, dispatcher: EventDispatcher, hears_starts: bool) -> None:
        self._consumer = consumer
        self._dispatcher = dispatcher
        self._tell = dispatcher.gather
        self._hears_starts = hears_starts
        #: Jobs whose start was told, where the pool does not tell.
        self._begun: set[int] = set()

    @property
    def is_wanted(self) -> bool:
        """Whether anybody wants to know."""
        return self._dispatcher.enabled and self._dispatcher.wants(GROUP)

    def received(self, job: OpenJob) -> None:
        """This has been claimed."""
        if self.is_wanted and job.task.send_events:
            headers = job.job.headers
            get = headers.get
            fields = {
                "uuid": headers["id"],
                "name": get("shadow") or headers["task"],
                "args": get("argsrepr"),
                "kwargs": get("kwargsrepr"),
                "root_id": get("root_id"),
                "parent_id": get("parent_id"),
                "retries": get("retries") or 0,
                "eta": get("eta"),
                "expires": get("expires"),
            }
            self._tell("task-received", fields)

    # -- starts -------------------------------------------------------------------------------------------------------

    def started(self, runs: Sequence[Run]) -> None:
        """The pool has begun these."""
        if self.is_wanted:
            for run in runs:
                self._tell_start(run)

    def look_for_starts(self) -> None:
        """Tell of what runs and was not told of; for pools that do not tell by themselves."""
        if not self._hears_starts and self.is_wanted:
            for run in self._consumer.pool.active():
                if run.number not in self._begun:
                    self._begun.add(run.number)
                    self._tell_start(run)

    def _tell_start(self, run: Run) -> None:
        job = self._consumer.job(run.number)
        if job is not None and _sends(job.task):
            since = time.time() - (time.monotonic() - run.since)
            self._tell("task-started", {"uuid": job.id, "timestamp": since})

    def _note_end(self, job: OpenJob, report: Report) -> None:
        """A start that nobody has seen is told with the end."""
        if job.number in self._begun:
            self._begun.discard(job.number)
        elif report.runtime is not None and self.is_wanted and _sends(job.task):
            self._tell("task-started", {"uuid": job.id, "timestamp": time.time() - report.runtime})

    # -- ends ---------------------------------------------------------------------------------------------------------

    def ended(self, job: OpenJob, report: Report, requeued: bool, signum: int | None = None) -> None:
        """A job has ended; `signum` is the signal by which a revoked one was."""
        if not self.is_wanted and not self._begun:  # as nearly always
            return
        if not self._hears_starts:
            self._note_end(job, report)
        if not self.is_wanted or not _sends(job.task):
            return
        kind, tell, uuid = report.kind, self._tell, job.id
        if kind is OutcomeKind.SUCCESS:
            tell("task-succeeded", {"uuid": uuid, "result": report.detail, "runtime": report.runtime})
        elif kind is OutcomeKind.RETRY:
            tell("task-retried", {"uuid": uuid, "exception": report.detail, "traceback": report.traceback})
        elif kind is OutcomeKind.REVOKED and requeued:
            tell("task-cancelled", {"uuid": uuid})
        elif kind is OutcomeKind.REJECTED or requeued or self._may_be_forged(kind):
            tell("task-rejected", {"uuid": uuid, "requeue": requeued})
        elif kind in _REVOKED:
            self._revoked(uuid, kind, report.detail == TERMINATED, signum)
        elif kind is not OutcomeKind.IGNORED:
            tell("task-failed", {"uuid": uuid, "exception": report.detail, "traceback": report.traceback})

    def refused(self, task_id: str, headers: Mapping[str, Any], kind: OutcomeKind, error: Exception | None) -> None:
        """A message will not run."""
        if not task_id or not self.is_wanted or not _sends(self._consumer.app.tasks.get(headers.get("task", ""))):
            return
        if kind in _REVOKED:
            self._revoked(task_id, kind)
        elif kind is OutcomeKind.REJECTED or self._may_be_forged(kind):
            self._tell("task-rejected", {"uuid": task_id, "requeue": False})
        elif kind is not OutcomeKind.IGNORED:
            self._tell("task-failed", {"uuid": task_id, "exception": repr(error), "traceback": None})

    def _may_be_forged(self, kind: OutcomeKind) -> bool:
        """Whether the id is that of a task of which a stranger wants to have said that it failed."""
        return kind is OutcomeKind.INVALID and self._consumer.app.serializers.is_signed_only

    def _revoked(self, uuid: str, kind: OutcomeKind, terminated: bool = False, signum: int | None = None) -> None:
        expired = kind is OutcomeKind.EXPIRED
        self._tell("task-revoked", {"uuid": uuid, "terminated": terminated, "signum": signum, "expired": expired})


def _sends(task: Any) -> bool:
    """Whether events of this task are sent; those of one that is not known here are."""
    return task is None or bool(task.send_events)
