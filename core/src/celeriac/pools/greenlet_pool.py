"""A pool of greenlets of the worker's own process, whichever library switches between them."""

from __future__ import annotations

import os
import signal
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from celeriac.contracts.limits import NO_LIMITS, Limits, limits_of, seconds
from celeriac.contracts.pool import Executor, Job, Pool, PoolContext, Report, Run, at_least_one
from celeriac.pools.mailbox import Mailbox
from celeriac.pools.outbox import Outbox

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

#: Greenlets per processor where nobody says how many.
PER_PROCESSOR: Final = 100
#: Seconds that `stop` gives the greenlets to end by themselves.
STOP_TIMEOUT: Final = 3.0


class GreenletJob(Protocol):
    """A job that runs in a greenlet."""

    number: int
    #: When it was begun, in monotonic seconds.
    since: float

    def terminate(self) -> None:
        """End it; reported as revoked, unless it ends by itself before that."""


R = TypeVar("R", bound=GreenletJob)


class GreenletPool(Pool, Generic[R]):
    """A greenlet for each job.

    Options: ``time_limit``, ``soft_time_limit`` (seconds).
    """

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        options = context.options
        self._default_limits = Limits(
            seconds(options.get("soft_time_limit"), NO_LIMITS.soft), seconds(options.get("time_limit"), NO_LIMITS.hard)
        )
        self._on_reports: Callable[[list[Report]], None]
        self._on_started: Callable[[list[Run]], None] | None = None
        self._executor: Executor | None = None
        self._runs: dict[int, R] = {}
        self._running = 0
        self._mailbox: Mailbox[list[Report]]
        self._outbox: Outbox

    # -- what subclasses say -------------------------------------------------------------------------------------------

    @abstractmethod
    def _begin(self, job: Job, limits: Limits, executor: Executor, on_end: Callable[[GreenletJob, Report], None]) -> R:
        """Have a greenlet run the job; `on_end` is to be called once, in a greenlet, with its report."""

    @abstractmethod
    def _wait(self, is_over: Callable[[], bool], timeout: float) -> None:
        """Let the greenlets run until that is so, or so many seconds have gone."""

    # -- the contract --------------------------------------------------------------------------------------------------

    @classmethod
    def auto_concurrency(cls, available: int) -> int:
        return available * PER_PROCESSOR

    def watch_starts(self, on_started: Callable[[list[Run]], None]) -> None:
        self._on_started = on_started

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        self._on_reports = on_reports
        self._mailbox = Mailbox(loop, self._on_mail)
        self._outbox = Outbox(self._mailbox.post)
        self._executor = self.context.executor()

    def room(self) -> int:
        return max(0, self.context.concurrency - self._running)

    def submit(self, jobs: Sequence[Job]) -> None:
        executor = self._executor
        assert executor is not None
        self._running += len(jobs)
        runs: list[R] = []
        for job in jobs:
            run = self._begin(job, limits_of(job.headers, self._default_limits), executor, self._on_end)
            self._runs[job.number] = run
            runs.append(run)
        if self._on_started is not None:
            self._on_started([Run(run.number, os.getpid(), run.since) for run in runs])

    def _on_end(self, run: GreenletJob, report: Report) -> None:
        # In a greenlet, which may have to wait for the store.
        executor = self._executor
        if executor is None or self._runs.pop(run.number, None) is None:
            return
        self._outbox.add(report, executor.flush)

    def _on_mail(self, batches: list[list[Report]]) -> None:
        reports = [report for batch in batches for report in batch]
        self._running -= len(reports)
        self._on_reports(reports)

    def active(self) -> list[Run]:
        pid = os.getpid()
        return [Run(run.number, pid, run.since) for run in list(self._runs.values())]

    def terminate_job(self, number: int, signum: int = signal.SIGTERM) -> bool:
        run = self._runs.get(number)
        if run is None:
            return False
        run.terminate()
        return True

    def grow(self, n: int = 1) -> None:
        self.context.concurrency += at_least_one(n)

    def shrink(self, n: int = 1) -> None:
        if at_least_one(n) >= self.context.concurrency:
            raise ValueError(f"{n} of {self.context.concurrency} greenlets cannot go: one at least must stay")
        self.context.concurrency -= n

    def restart(self, modules: Sequence[str] | None = None, reload: bool = False) -> None:
        """Begin anew with the tasks as they are now; what runs ends as it began."""
        self.context.load_modules(modules, reload)
        if self._executor is not None:
            self._executor = self.context.executor()

    def running(self) -> int:
        return self._running

    def stop(self) -> None:
        self._wait(lambda: not self._runs, STOP_TIMEOUT)
        self.terminate()

    def terminate(self) -> None:
        executor, self._executor = self._executor, None
        if executor is None:
            return
        runs, self._runs = self._runs, {}
        for run in runs.values():
            run.terminate()
        self._running = 0
        self._mailbox.close()
        executor.close()

    def info(self) -> dict[str, Any]:
        return {**super().info(), "greenlets": len(self._runs)}
