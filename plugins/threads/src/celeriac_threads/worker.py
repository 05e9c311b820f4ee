"""One thread of the pool."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from celeriac.contracts.limits import NO_LIMITS, Limits, limits_of, task_of
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Executor, Job, Report
from celeriac.exceptions import SoftTimeLimitExceeded
from celeriac.pools.interruption import JobTerminated, interrupt

if TYPE_CHECKING:
    from celeriac.pools.outbox import Outbox

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A job that has time limits, or of which somebody wants to know, runs from now on, on this thread."""

    worker: Worker
    number: int
    #: ``name[id]``, for the log.
    task: str
    limits: Limits
    #: As told by `time.monotonic`.
    since: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The executor of a thread is made."""

    worker: Worker


@dataclass(frozen=True, slots=True)
class Failed:
    """The executor of a thread could not be made, so the thread has ended."""

    worker: Worker


@dataclass(frozen=True, slots=True)
class Left:
    """A thread has ended because the pool shrinks or renews its threads."""

    worker: Worker


@dataclass(slots=True)
class Surroundings:
    """What all threads of a pool share."""

    jobs: SimpleQueue[Job | None]
    outbox: Outbox
    post: Callable[[Ready | Begun | Failed | Left], None]
    make_executor: Callable[[], Executor]
    default_limits: Limits
    tells_starts: bool = False
    #: Counts how often the pool was restarted; an executor of an older one is replaced before its next job.
    generation: int = 0


class Worker:
    """Takes jobs from the common queue until it is given None or abandoned."""

    def __init__(self, surroundings: Surroundings, name: str) -> None:
        self._shared = surroundings
        #: Guards what follows, against a limit that is reached in the moment in which the job ends.
        self._lock = threading.Lock()
        self._number: int | None = None
        self._since = 0.0
        self._is_interrupted = False
        self._is_terminated = False
        self._is_abandoned = False
        # Daemonic: a task that never ends must not keep the worker from ending.
        self.thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def interrupt(self, number: int) -> bool:
        """Raise SoftTimeLimitExceeded in the job, if it still runs here."""
        with self._lock:
            if self._number != number or self.thread.ident is None:
                return False
            self._is_interrupted = True
            interrupt(self.thread.ident, SoftTimeLimitExceeded)
            return True

    def terminate(self, number: int) -> bool:
        """Raise `JobTerminated` in the job, if it still runs here: it is reported as revoked, however it ends."""
        with self._lock:
            if self._number != number or self.thread.ident is None:
                return False
            self._is_interrupted = self._is_terminated = True
            interrupt(self.thread.ident, JobTerminated)
            return True

    def run_now(self) -> tuple[int, float] | None:
        """The job that runs here and since when."""
        number, since = self._number, self._since
        return None if number is None else (number, since)

    def abandon(self, number: int) -> float | None:
        """Give the job up, if it still runs here: its report will never come, and the thread ends when the job does.

        Returns for how many seconds it has been running, None where it does not.
        """
        with self._lock:
            if self._number != number:
                return None
            self._number = None
            self._is_abandoned = True
            return monotonic() - self._since

    def _serve(self) -> None:
        shared = self._shared
        executor, generation = self._make_executor(), shared.generation
        if executor is None:
            return
        shared.post(Ready(self))
        try:
            while (job := shared.jobs.get()) is not None:
                if generation != shared.generation:
                    generation = shared.generation
                    executor.close()
                    executor = self._make_executor()
                    if executor is None:
                        shared.jobs.put(job)
                        return
                report = self._run(executor, job)
                if report is None:
                    return
                shared.outbox.add(report, executor.flush)
            shared.post(Left(self))
        finally:
            if executor is not None:
                executor.close()

    def _make_executor(self) -> Executor | None:
        try:
            return self._shared.make_executor()
        except Exception:
            logger.critical("A thread of the pool could not be set up.", exc_info=True)
            self._shared.post(Failed(self))
            return None

    def _run(self, executor: Executor, job: Job) -> Report | None:
        """The report of the job, None where it was abandoned."""
        limits = limits_of(job.headers, self._shared.default_limits)
        report: Report | None = None
        try:
            self._begin(job, limits)
            try:
                report = executor.run(job)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # must be reported, whatever it is
                report = self._report_of_escaped(job, error)
            is_ours, is_terminated = self._end()
        except (SoftTimeLimitExceeded, JobTerminated) as late:  # came between the end of the task and the end of this
            is_ours, is_terminated = self._end()
            report = report or self._report_of_escaped(job, late)
        if is_terminated:
            report = Report(job.number, OutcomeKind.REVOKED, monotonic() - self._since, TERMINATED)
        return report if is_ours else None

    def _begin(self, job: Job, limits: Limits) -> None:
        self._since = monotonic()
        self._number = job.number
        if limits is not NO_LIMITS or self._shared.tells_starts:
            self._shared.post(Begun(self, job.number, task_of(job.headers), limits, self._since))

    def _end(self) -> tuple[bool, bool]:
        """Whether the job is still this thread's, and whether it was terminated."""
        with self._lock:
            self._number = None
            if self._is_interrupted:
                self._is_interrupted = False
                interrupt(threading.get_ident(), None)
            is_terminated, self._is_terminated = self._is_terminated, False
            return not self._is_abandoned, is_terminated

    def _report_of_escaped(self, job: Job, error: BaseException) -> Report:
        if self._is_terminated:  # as wanted, and nothing to tell of
            lost = TERMINATED
        elif isinstance(error, SystemExit | KeyboardInterrupt):
            lost = f"the task ended its thread with {error!r}"
            logger.error("Job %d asked its thread to end (%r); it counts as lost.", job.number, error)
        else:
            lost = f"the executor itself failed: {error!r}"
            logger.critical("The executor itself failed on job %d, which counts as lost.", job.number, exc_info=error)
        return Report(job.number, OutcomeKind.WORKER_LOST, None, lost)
