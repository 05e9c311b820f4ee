"""One job of a child: its limits, its end, and whoever wants to end it before."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from celeriac.contracts.limits import NO_LIMITS, Limits, task_of
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Job, Report
from celeriac.exceptions import TimeLimitExceeded

if TYPE_CHECKING:
    from celeriac.contracts.pool import AsyncExecutor, Executor

logger = logging.getLogger(__name__)

#: Seconds that a job has to end when it is cancelled, before it is given up.
GRACE: Final = 1.0


class JobRun(ABC):
    """A job that runs; all is called in the loop's thread.

    `on_end` is called once, with the report: of the end of the task, or of having been given up.
    """

    def __init__(self, job: Job, limits: Limits, on_end: Callable[[JobRun, Report], None]) -> None:
        self.job = job
        self.number = job.number
        self.since = monotonic()
        self._limits = limits
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._timers: list[asyncio.TimerHandle] = []
        #: How the job is to be reported if it ends because it was cancelled.
        self._verdict: tuple[OutcomeKind, str] | None = None
        self._has_ended = False

    def begin(self) -> None:
        """Begin."""
        soft, hard = self._limits
        if soft < hard:
            self._timers.append(self._loop.call_later(soft, self._on_soft_limit))
        if hard < NO_LIMITS.hard:
            self._timers.append(self._loop.call_later(hard, self._on_hard_limit))
        self._begin()

    def terminate(self) -> None:
        """End the job; reported as revoked, unless it ends by itself before that."""
        self._give_up_after_grace((OutcomeKind.REVOKED, TERMINATED))

    @abstractmethod
    def _begin(self) -> None:
        """Have the job run."""

    @abstractmethod
    def _interrupt(self) -> None:
        """Raise `SoftTimeLimitExceeded` in the task."""

    @abstractmethod
    def _cancel(self) -> None:
        """End the task, by an error that it should not catch."""

    def _on_soft_limit(self) -> None:
        logger.warning("Task %s reached its soft time limit of %g s", task_of(self.job.headers), self._limits.soft)
        self._interrupt()

    def _on_hard_limit(self) -> None:
        limit = self._limits.hard
        logger.error("Task %s reached its hard time limit of %g s; it is cancelled", task_of(self.job.headers), limit)
        self._give_up_after_grace((OutcomeKind.HARD_TIME_LIMIT, repr(TimeLimitExceeded(limit))))

    def _give_up_after_grace(self, verdict: tuple[OutcomeKind, str]) -> None:
        if self._has_ended or self._verdict is not None:
            return
        self._verdict = verdict
        self._timers.append(self._loop.call_later(GRACE, self._give_up))
        self._cancel()

    def _give_up(self) -> None:
        logger.error("Job %d was cancelled, but does not end; it is left to itself.", self.number)
        self._end(self._report_of_cancelled())

    def _end(self, report: Report) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        for timer in self._timers:
            timer.cancel()
        self._on_end(self, report)

    def _report_of_cancelled(self) -> Report:
        kind, detail = self._verdict or (OutcomeKind.WORKER_LOST, "the task was cancelled by other code in its process")
        return Report(self.number, kind, monotonic() - self.since, detail)

    def _report_of_escaped(self, error: BaseException) -> Report:
        if isinstance(error, SystemExit | KeyboardInterrupt):
            lost = f"the task ended with {error!r}"
            logger.error("Job %d asked its process to end (%r); it counts as lost.", self.number, error)
        else:
            lost = f"the executor itself failed: {error!r}"
            logger.critical("The executor itself failed on job %d, which counts as lost.", self.number, exc_info=error)
        return Report(self.number, OutcomeKind.WORKER_LOST, None, lost)


def is_for_loop(executor: Executor | AsyncExecutor, job: Job) -> bool:
    """Whether the executor can run this job in the loop."""
    awaits: Callable[[Job], bool] | None = getattr(executor, "awaits", None)
    return awaits is not None and awaits(job)
