"""One job in a greenlet of whichever library: its limits, its end, and what is reported of it."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts.limits import NO_LIMITS, Limits, task_of
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Job, Report
from celeriac.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from celeriac.pools.interruption import JobTerminated

if TYPE_CHECKING:
    from celeriac.contracts.pool import Executor
    from celeriac.pools.greenlet_pool import GreenletJob

logger = logging.getLogger(__name__)

#: Seconds that a job has to end when it is told to, before it is given up.
GRACE: Final = 1.0


class GreenletRun(ABC):
    """Runs a job; `on_end` is called once, in a greenlet, with its report."""

    #: What the library calls a greenlet, for people.
    called: ClassVar[str]

    def __init__(
        self, job: Job, limits: Limits, executor: Executor, on_end: Callable[[GreenletJob, Report], None]
    ) -> None:
        self.number = job.number
        self.since = monotonic()
        self._job = job
        self._limits = limits
        self._executor = executor
        self._on_end = on_end
        self._verdict: tuple[OutcomeKind, str] | None = None
        self._timers: list[Any] = []
        self._has_ended = False
        self._greenlet = self._spawn()

    @property
    def _named(self) -> str:
        return task_of(self._job.headers)

    def terminate(self) -> None:
        """End the job; reported as revoked, unless it ends by itself before that."""
        self._end_it((OutcomeKind.REVOKED, TERMINATED))

    # -- what the library does -----------------------------------------------------------------------------------------

    @abstractmethod
    def _spawn(self) -> Any:
        """A new greenlet that runs the job."""

    @abstractmethod
    def _later(self, seconds: float, call: Callable[[], None]) -> Any:
        """A timer that calls in a greenlet in which one may wait."""

    @abstractmethod
    def _cancel(self, timer: Any) -> None:
        """Have a timer never call."""

    @abstractmethod
    def _raise_in_task(self, error: type[BaseException]) -> None:
        """Raise that where the task waits; whoever asks goes on at once, and a job that has not begun is left alone."""

    # -- in the greenlet -----------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        enter: Callable[[], None] | None = getattr(self._executor, "enter_thread", None)
        if enter is not None:
            enter()

    def _watch(self) -> None:
        soft, hard = self._limits
        if soft < hard:
            self._timers.append(self._later(soft, self._on_soft_limit))
        if hard < NO_LIMITS.hard:
            self._timers.append(self._later(hard, self._on_hard_limit))

    def _unwatch(self) -> None:
        for timer in self._timers:
            self._cancel(timer)
        self._timers.clear()

    def _end(self, report: Report) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._unwatch()
            self._on_end(self, report)

    # -- in others -----------------------------------------------------------------------------------------------------

    def _on_soft_limit(self) -> None:
        if not self._has_ended:
            logger.warning("Task %s reached its soft time limit of %g s", self._named, self._limits.soft)
            self._raise_in_task(SoftTimeLimitExceeded)

    def _on_hard_limit(self) -> None:
        limit = self._limits.hard
        if not self._has_ended:
            logger.error(
                "Task %s reached its hard time limit of %g s; its %s is ended", self._named, limit, self.called
            )
            self._end_it((OutcomeKind.HARD_TIME_LIMIT, repr(TimeLimitExceeded(limit))))

    def _end_it(self, verdict: tuple[OutcomeKind, str]) -> None:
        if self._has_ended or self._verdict is not None:
            return
        self._verdict = verdict
        self._raise_in_task(JobTerminated)
        self._later(GRACE, self._give_up)

    def _give_up(self) -> None:
        if not self._has_ended:
            logger.error("Job %d was ended, but goes on; it is left to itself.", self.number)
            self._has_ended = True
            self._on_end(self, self._report_of_ended())

    def _report_of_ended(self) -> Report:
        kind, detail = self._verdict or (OutcomeKind.WORKER_LOST, f"its {self.called} was killed by other code")
        return Report(self.number, kind, monotonic() - self.since, detail)

    def _report_of(self, error: BaseException) -> Report:
        if isinstance(error, JobTerminated):
            return self._report_of_ended()
        logger.error("Job %d asked its %s to end, or its executor failed: %r", self.number, self.called, error)
        return Report(self.number, OutcomeKind.WORKER_LOST, None, f"the task ended with {error!r}")
