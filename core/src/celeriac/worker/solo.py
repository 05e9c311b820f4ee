"""The kernel's own pool, which is none: tasks run in the worker's process, one after the other."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac import signals
from celeriac.contracts.limits import NO_LIMITS, Limits, limits_of, seconds, task_of
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Executor, Job, Pool, PoolContext, Report, Run
from celeriac.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerTerminate
from celeriac.worker.alarm import Alarm, HardLimitReached, can_ring

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

logger = logging.getLogger("celeriac.worker.solo")

#: Seconds after which the loop gets its turn, between two jobs.
_TURN: Final = 0.01
_AHEAD: Final = 64


class SoloPool(Pool):
    """Runs jobs in the loop's own thread; the loop stands still while one runs."""

    name: ClassVar[str] = "solo"
    blocking: ClassVar[bool] = True

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        self.context.concurrency = 1
        options = context.options
        self._default_limits = Limits(
            seconds(options.get("soft_time_limit"), NO_LIMITS.soft), seconds(options.get("time_limit"), NO_LIMITS.hard)
        )
        self._waiting: deque[Job] = deque()
        #: Of jobs that will not run.
        self._dropped: list[Report] = []
        self._executor: Executor | None = None
        self._scheduled = False
        self._running = 0
        self._is_in_task = False
        self._is_interrupted = False
        self._current: Run | None = None
        self._on_started: Callable[[list[Run]], None] | None = None

    def watch_starts(self, on_started: Callable[[list[Run]], None]) -> None:
        self._on_started = on_started

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        self._loop = loop
        self._on_reports = on_reports
        self._executor = self.context.executor()
        signals.worker_process_init.send(sender=None)

    def room(self) -> int:
        return _AHEAD - len(self._waiting) - self._running

    def submit(self, jobs: Sequence[Job]) -> None:
        self._waiting.extend(jobs)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and (self._waiting or self._dropped):
            self._scheduled = True
            self._loop.call_soon(self._work)

    def _work(self) -> None:
        self._scheduled = False
        reports, self._dropped = self._dropped, []
        until = time.monotonic() + _TURN
        while self._waiting and self._executor is not None:
            report = self._run(self._executor, self._waiting.popleft())
            if report is None:
                break
            reports += self._executor.flush([report])
            if time.monotonic() >= until:
                break
        if reports:
            self._on_reports(reports)
        self._schedule()

    def _run(self, executor: Executor, job: Job) -> Report | None:
        """The job's report; None where the worker is stopped in the middle of it."""
        self._running = 1
        self._current = Run(job.number, os.getpid(), time.monotonic())
        if self._on_started is not None:
            self._on_started([self._current])
        try:
            self._is_in_task = True
            report = self._run_limited(executor, job)
            self._is_in_task = False
        except (SystemExit, KeyboardInterrupt) as error:
            if self._is_interrupted:
                return None
            logger.error("Job %d asked its process to end (%r); it counts as lost", job.number, error)
            report = Report(job.number, OutcomeKind.WORKER_LOST, None, f"the task ended with {error!r}")
        finally:
            self._running = 0
            self._current = None
            self._is_in_task = False
        return report

    def _run_limited(self, executor: Executor, job: Job) -> Report:
        limits = limits_of(job.headers, self._default_limits)
        if limits == NO_LIMITS:
            return executor.run(job)
        if not can_ring():
            logger.warning(
                "The time limits of task %s are not kept: this worker runs in a thread of its own", task_of(job.headers)
            )
            return executor.run(job)
        begun, report = time.monotonic(), None
        try:
            with Alarm(limits):
                report = executor.run(job)
        except HardLimitReached:
            logger.error("Task %s reached its hard time limit of %g s", task_of(job.headers), limits.hard)
            detail = repr(TimeLimitExceeded(limits.hard))
            report = report or Report(job.number, OutcomeKind.HARD_TIME_LIMIT, time.monotonic() - begun, detail)
        except SoftTimeLimitExceeded as late:  # came between the end of the task and the end of the alarm
            report = report or Report(job.number, OutcomeKind.WORKER_LOST, None, repr(late))
        return report

    def interrupt(self) -> None:
        if self._is_in_task:
            self._is_interrupted = True
            raise WorkerTerminate(1)

    def take_back(self) -> list[int]:
        numbers = [job.number for job in self._waiting]
        self._waiting.clear()
        return numbers

    def active(self) -> list[Run]:
        current = self._current
        return [] if current is None else [current]

    def terminate_job(self, number: int, signum: int = signal.SIGTERM) -> bool:  # nothing to send it to
        """Drop a job that has not begun; who could ask for the end of one that runs?  The loop stands still."""
        job = next((job for job in self._waiting if job.number == number), None)
        if job is None:
            return False
        self._waiting.remove(job)
        self._dropped.append(Report(number, OutcomeKind.REVOKED, None, TERMINATED))
        self._schedule()
        return True

    def restart(self, modules: Sequence[str] | None = None, reload: bool = False) -> None:
        """Begin anew with the tasks as they are now: there is no child to replace."""
        self.context.load_modules(modules, reload)
        if self._executor is not None:
            self._executor = self.context.executor()

    def running(self) -> int:
        return len(self._waiting) + len(self._dropped) + self._running

    def stop(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.close()

    def terminate(self) -> None:
        self._waiting.clear()
        self._dropped.clear()
        self.stop()

    def info(self) -> dict[str, Any]:
        return {"implementation": "celeriac.worker.solo:SoloPool", "max-concurrency": 1, "processes": []}
