"""One job in a greenlet."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import gevent

from celeriac.contracts.limits import NO_LIMITS, Limits
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


class GreenletRun:
    """Runs a job; `on_end` is called once, in a greenlet, with its report."""

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
        self._greenlet = gevent.spawn(self._run)
        # Whoever kills a greenlet that has not begun leaves nothing of it that could tell.
        self._greenlet.link(self._on_dead)

    def terminate(self) -> None:
        """End the job; reported as revoked, unless it ends by itself before that."""
        self._end_it((OutcomeKind.REVOKED, TERMINATED))

    # -- in the greenlet -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._verdict is not None:  # before it could begin
            self._end(self._report_of_ended())
            return
        report: Report | None = None
        try:
            self._watch()
            enter: Callable[[], None] | None = getattr(self._executor, "enter_thread", None)
            if enter is not None:
                enter()
            try:
                report = self._executor.run(self._job)
            except BaseException as error:  # noqa: BLE001  # must be reported: also a GreenletExit
                report = self._report_of(error)
            self._unwatch()
        except BaseException as late:  # noqa: BLE001  # came between the end of the task and the end of this
            report = report or self._report_of(late)
        self._end(report)

    def _watch(self) -> None:
        soft, hard = self._limits
        if soft < hard:
            self._timers.append(gevent.spawn_later(soft, self._on_soft_limit))
        if hard < NO_LIMITS.hard:
            self._timers.append(gevent.spawn_later(hard, self._on_hard_limit))

    def _unwatch(self) -> None:
        for timer in self._timers:
            timer.kill(block=False)
        self._timers.clear()

    def _end(self, report: Report) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._unwatch()
            self._on_end(self, report)

    # -- in others -----------------------------------------------------------------------------------------------------

    def _on_soft_limit(self) -> None:
        if not self._has_ended:
            logger.warning("Soft time limit of %g s reached by job %d.", self._limits.soft, self.number)
            self._greenlet.kill(SoftTimeLimitExceeded, block=False)

    def _on_hard_limit(self) -> None:
        limit = self._limits.hard
        if not self._has_ended:
            logger.error("Hard time limit of %g s reached by job %d; its greenlet is ended.", limit, self.number)
            self._end_it((OutcomeKind.HARD_TIME_LIMIT, repr(TimeLimitExceeded(limit))))

    def _on_dead(self, _: Any) -> None:
        if not self._has_ended:
            self._end(self._report_of_ended())

    def _end_it(self, verdict: tuple[OutcomeKind, str]) -> None:
        if self._has_ended or self._verdict is not None:
            return
        self._verdict = verdict
        if self._greenlet.started and self._greenlet.gr_frame is not None:
            self._greenlet.kill(JobTerminated, block=False)
        gevent.spawn_later(GRACE, self._give_up)

    def _give_up(self) -> None:
        if not self._has_ended:
            logger.error("Job %d was ended, but goes on; it is left to itself.", self.number)
            self._has_ended = True
            self._on_end(self, self._report_of_ended())

    def _report_of_ended(self) -> Report:
        kind, detail = self._verdict or (OutcomeKind.WORKER_LOST, "its greenlet was killed by other code")
        return Report(self.number, kind, monotonic() - self.since, detail)

    def _report_of(self, error: BaseException) -> Report:
        if isinstance(error, JobTerminated):
            return self._report_of_ended()
        logger.error("Job %d asked its greenlet to end, or its executor failed: %r", self.number, error)
        return Report(self.number, OutcomeKind.WORKER_LOST, None, f"the task ended with {error!r}")
