"""The pool of green threads."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts.limits import NO_LIMITS, Limits, limits_of, seconds
from celeriac.contracts.pool import Executor, Job, Pool, PoolContext, Report, Run, at_least_one
from celeriac.exceptions import ImproperlyConfigured
from celeriac.pools.mailbox import Mailbox
from celeriac.pools.outbox import Outbox
from celeriac.signals import (
    eventlet_pool_apply,
    eventlet_pool_postshutdown,
    eventlet_pool_preshutdown,
    eventlet_pool_started,
)
from celeriac_eventlet.patch import is_patched

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop
    from celeriac_eventlet.green_run import GreenRun

logger = logging.getLogger(__name__)

#: Green threads per processor where nobody says how many.
PER_PROCESSOR: Final = 100
#: Seconds that `stop` gives the green threads to end by themselves.
STOP_TIMEOUT: Final = 3.0
#: Seconds between two looks at whether they have.
_LOOK_AGAIN: Final = 0.01


class EventletPool(Pool):
    """A green thread of the worker's own process for each job.

    Options: ``time_limit``, ``soft_time_limit`` (seconds).
    """

    name: ClassVar[str] = "eventlet"

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        if not is_patched():
            raise ImproperlyConfigured(
                "the pool 'eventlet' needs the standard library patched before anything is imported: start the worker "
                "by `celeriac worker -P eventlet`, or begin your program by `import eventlet; eventlet.monkey_patch()`"
            )
        options = context.options
        self._default_limits = Limits(
            seconds(options.get("soft_time_limit"), NO_LIMITS.soft), seconds(options.get("time_limit"), NO_LIMITS.hard)
        )
        self._on_reports: Callable[[list[Report]], None]
        self._on_started: Callable[[list[Run]], None] | None = None
        self._executor: Executor | None = None
        self._make_run: type[GreenRun]
        self._runs: dict[int, GreenRun] = {}
        self._running = 0
        self._mailbox: Mailbox[list[Report]]
        self._outbox: Outbox

    @classmethod
    def auto_concurrency(cls, available: int) -> int:
        return available * PER_PROCESSOR

    def watch_starts(self, on_started: Callable[[list[Run]], None]) -> None:
        self._on_started = on_started

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        # Not where somebody only looks at the class: eventlet has each later fork of its process warned of.
        from celeriac_eventlet.green_run import GreenRun

        logger.warning("Eventlet is in maintenance, and its authors advise to leave it: consider the pool gevent.")
        self._make_run = GreenRun
        self._on_reports = on_reports
        self._mailbox = Mailbox(loop, self._on_mail)
        self._outbox = Outbox(self._mailbox.post)
        self._executor = self.context.executor()
        eventlet_pool_started.send(sender=self)

    def room(self) -> int:
        return max(0, self.context.concurrency - self._running)

    def submit(self, jobs: Sequence[Job]) -> None:
        executor = self._executor
        assert executor is not None
        self._running += len(jobs)
        runs: list[GreenRun] = []
        for job in jobs:
            if eventlet_pool_apply:
                eventlet_pool_apply.send(sender=self, target=executor.run, args=(job,), kwargs={})
            limits = limits_of(job.headers, self._default_limits)
            run = self._runs[job.number] = self._make_run(job, limits, executor, self._on_end)
            runs.append(run)
        if self._on_started is not None:
            self._on_started([Run(run.number, os.getpid(), run.since) for run in runs])

    def _on_end(self, run: GreenRun, report: Report) -> None:
        # In a green thread, which may have to wait for the store.
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
            raise ValueError(f"{n} of {self.context.concurrency} green threads cannot go: one at least must stay")
        self.context.concurrency -= n

    def restart(self, modules: Sequence[str] | None = None, reload: bool = False) -> None:
        """Begin anew with the tasks as they are now; what runs ends as it began."""
        self.context.load_modules(modules, reload)
        if self._executor is not None:
            self._executor = self.context.executor()

    def running(self) -> int:
        return self._running

    def stop(self) -> None:
        if self._executor is None:
            return
        eventlet_pool_preshutdown.send(sender=self)
        deadline = time.monotonic() + STOP_TIMEOUT
        while self._runs and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)  # eventlet's: the green threads run meanwhile
        self.terminate()
        eventlet_pool_postshutdown.send(sender=self)

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
