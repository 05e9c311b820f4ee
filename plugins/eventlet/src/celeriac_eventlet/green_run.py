"""One job in a green thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.limits import NO_LIMITS, Limits
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Job, Report
from celeriac.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from celeriac.pools.interruption import JobTerminated
from celeriac_eventlet.library import eventlet, hubs

if TYPE_CHECKING:
    from celeriac.contracts.pool import Executor
    from celeriac.pools.greenlet_pool import GreenletJob

logger = logging.getLogger(__name__)

#: Seconds that a job has to end when it is told to, before it is given up.
GRACE: Final = 1.0


class GreenRun:
    """Runs a job; `on_end` is called once, in a green thread, with its report."""

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
        #: An exception that is raised now reaches the task, and neither what comes before nor what comes after it.
        self._is_in_task = False
        self._has_ended = False
        self._greenlet = eventlet.spawn_n(self._run)

    def terminate(self) -> None:
        """End the job; reported as revoked, unless it ends by itself before that."""
        self._end_it((OutcomeKind.REVOKED, TERMINATED))

    # -- in the green thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._verdict is not None:  # before it could begin
            self._end(self._report_of_ended())
            return
        enter: Callable[[], None] | None = getattr(self._executor, "enter_thread", None)
        if enter is not None:
            enter()
        self._watch()
        try:
            self._is_in_task = True
            report = self._executor.run(self._job)
            self._is_in_task = False
        except BaseException as error:  # noqa: BLE001  # must be reported, whatever it is: a Timeout is no Exception
            self._is_in_task = False
            report = self._report_of(error)
        self._end(report)

    def _watch(self) -> None:
        soft, hard = self._limits
        if soft < hard:
            self._timers.append(_later(soft, self._on_soft_limit))
        if hard < NO_LIMITS.hard:
            self._timers.append(_later(hard, self._on_hard_limit))

    def _end(self, report: Report) -> None:
        if not self._has_ended:
            self._has_ended = True
            for timer in self._timers:
                timer.cancel()
            self._on_end(self, report)

    # -- in others -----------------------------------------------------------------------------------------------------

    def _on_soft_limit(self) -> None:
        if not self._has_ended:
            logger.warning("Soft time limit of %g s reached by job %d.", self._limits.soft, self.number)
            self._raise_in_task(SoftTimeLimitExceeded)

    def _on_hard_limit(self) -> None:
        limit = self._limits.hard
        if not self._has_ended:
            logger.error("Hard time limit of %g s reached by job %d; its green thread is ended.", limit, self.number)
            self._end_it((OutcomeKind.HARD_TIME_LIMIT, repr(TimeLimitExceeded(limit))))

    def _end_it(self, verdict: tuple[OutcomeKind, str]) -> None:
        if self._has_ended or self._verdict is not None:
            return
        self._verdict = verdict
        self._raise_in_task(JobTerminated)
        self._timers.append(_later(GRACE, self._give_up))

    def _raise_in_task(self, error: type[BaseException]) -> None:
        # By the hub, so that whoever asks for it goes on at once.
        hubs.get_hub().schedule_call_global(0, self._throw, error)

    def _throw(self, error: type[BaseException]) -> None:
        if self._is_in_task:
            self._greenlet.throw(error)

    def _give_up(self) -> None:
        if not self._has_ended:
            logger.error("Job %d was ended, but goes on; it is left to itself.", self.number)
            self._has_ended = True
            self._on_end(self, self._report_of_ended())

    def _report_of_ended(self) -> Report:
        kind, detail = self._verdict or (OutcomeKind.WORKER_LOST, "its green thread was killed by other code")
        return Report(self.number, kind, monotonic() - self.since, detail)

    def _report_of(self, error: BaseException) -> Report:
        if isinstance(error, JobTerminated):
            return self._report_of_ended()
        logger.error("Job %d asked its green thread to end, or its executor failed: %r", self.number, error)
        return Report(self.number, OutcomeKind.WORKER_LOST, None, f"the task ended with {error!r}")


def _later(seconds: float, call: Callable[[], None]) -> Any:
    """A timer that calls in a green thread of its own: in the hub, where timers call, nothing may wait."""
    return hubs.get_hub().schedule_call_global(seconds, eventlet.spawn_n, call)
