"""A job that runs in a thread, because its task is a plain function."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from celeriac.exceptions import SoftTimeLimitExceeded
from celeriac.pools.interruption import JobTerminated, interrupt
from celeriac_asyncio.run import JobRun

if TYPE_CHECKING:
    from celeriac.contracts.limits import Limits
    from celeriac.contracts.pool import Executor, Job, Report
    from celeriac_asyncio.threads import Threads


class ThreadRun(JobRun):
    """Runs in a thread, in which exceptions can be raised as soon as it runs Python code."""

    def __init__(
        self,
        job: Job,
        limits: Limits,
        on_end: Callable[[JobRun, Report], None],
        executor: Executor,
        threads: Threads,
    ) -> None:
        super().__init__(job, limits, on_end)
        self._executor = executor
        self._threads = threads
        #: Guards what follows, against an interruption in the moment in which the job ends.
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._raised: type[BaseException] | None = None

    def _begin(self) -> None:
        self._threads.begin(self._run)

    def _run(self) -> None:
        # In the thread.
        report: Report | None = None
        try:
            with self._lock:
                self._thread = threading.get_ident()
            try:
                report = self._executor.run(self.job)
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # must be reported, whatever it is
                report = self._report_of(error)
            self._leave()
        except (SoftTimeLimitExceeded, JobTerminated) as late:  # came between the end of the task and the end of this
            self._leave()
            report = report or self._report_of(late)
        self._loop.call_soon_threadsafe(self._end, report)

    def _leave(self) -> None:
        with self._lock:
            self._thread = None
            if self._raised is not None:
                self._raised = None
                interrupt(threading.get_ident(), None)

    def _report_of(self, error: BaseException) -> Report:
        if isinstance(error, JobTerminated):
            return self._report_of_cancelled()
        return self._report_of_escaped(error)

    def _interrupt(self) -> None:
        self._raise(SoftTimeLimitExceeded)

    def _cancel(self) -> None:
        self._raise(JobTerminated)

    def _raise(self, error: type[BaseException]) -> None:
        with self._lock:
            if self._thread is not None:
                self._raised = error
                interrupt(self._thread, error)
