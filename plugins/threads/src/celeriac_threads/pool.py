"""The pool of threads."""

from __future__ import annotations

import itertools
import logging
import os
import signal
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts.limits import NO_LIMITS, Limits, seconds
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Job, Pool, PoolContext, Report, Run, at_least_one
from celeriac.exceptions import TimeLimitExceeded
from celeriac.pools.mailbox import Mailbox
from celeriac.pools.outbox import Outbox
from celeriac_threads.worker import Begun, Failed, Left, Ready, Surroundings, Worker

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer

logger = logging.getLogger(__name__)

#: Jobs that wait in the common queue at most, so that no thread has to wait for the loop.
HAND_AHEAD: Final = 128
#: Seconds that `stop` gives the threads to end by themselves.
STOP_TIMEOUT: Final = 3.0
#: Seconds that a task has to end when it is terminated, before its thread is left to itself.
TERMINATE_GRACE: Final = 1.0
#: Seconds until a thread whose executor could not be made is replaced: the first time, and at most.
FIRST_DELAY: Final = 0.25
LONGEST_DELAY: Final = 30.0


class ThreadPool(Pool):
    """Threads of the worker's process, which take their jobs from one common queue.

    Options: ``time_limit``, ``soft_time_limit`` (seconds).
    """

    name: ClassVar[str] = "threads"

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        options = context.options
        self._default_limits = Limits(
            seconds(options.get("soft_time_limit"), NO_LIMITS.soft), seconds(options.get("time_limit"), NO_LIMITS.hard)
        )
        self._loop: EventLoop
        self._on_reports: Callable[[list[Report]], None]
        self._mailbox: Mailbox[list[Report] | Ready | Begun | Failed | Left]
        self._surroundings: Surroundings
        self._workers: set[Worker] = set()
        self._names = itertools.count(1)
        #: Submitted and neither reported nor taken back.
        self._running = 0
        #: Limits that are still to be looked at, by job.
        self._timers: dict[int, list[Timer]] = {}
        self._failures = 0
        self._on_started: Callable[[list[Run]], None] | None = None
        self._is_stopped = True

    def watch_starts(self, on_started: Callable[[list[Run]], None]) -> None:
        self._on_started = on_started

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        self._loop = loop
        self._on_reports = on_reports
        self._is_stopped = False
        self._mailbox = Mailbox(loop, self._on_mail)
        self._surroundings = Surroundings(
            SimpleQueue(),
            Outbox(self._mailbox.post),
            self._mailbox.post,
            self.context.executor,
            self._default_limits,
            tells_starts=self._on_started is not None,
        )
        for _ in range(self.context.concurrency):
            self._add_worker()

    def room(self) -> int:
        if not self._workers:
            return 0
        return max(0, self.context.concurrency + HAND_AHEAD - self._running)

    def submit(self, jobs: Sequence[Job]) -> None:
        self._running += len(jobs)
        for job in jobs:
            self._surroundings.jobs.put(job)

    def take_back(self) -> list[int]:
        if self._is_stopped:
            return []
        jobs, leave = self._empty_queue()
        self._fill_queue([], leave)
        self._running -= len(jobs)
        return [job.number for job in jobs]

    def running(self) -> int:
        return self._running

    def active(self) -> list[Run]:
        pid = os.getpid()
        return [Run(run[0], pid, run[1]) for worker in list(self._workers) if (run := worker.run_now()) is not None]

    def terminate_job(self, number: int, signum: int = signal.SIGTERM) -> bool:  # threads know no signals
        for worker in self._workers:
            if worker.terminate(number):
                self._loop.call_later(TERMINATE_GRACE, self._on_not_terminated, worker, number)
                return True
        return self._drop(number)

    def grow(self, n: int = 1) -> None:
        self.context.concurrency += at_least_one(n)
        for _ in range(n):
            self._add_worker()

    def shrink(self, n: int = 1) -> None:
        if at_least_one(n) >= self.context.concurrency:
            raise ValueError(f"{n} of {self.context.concurrency} threads cannot go: one at least must stay")
        self.context.concurrency -= n
        self._let_go(n)

    def restart(self, modules: Sequence[str] | None = None, reload: bool = False) -> None:
        self.context.load_modules(modules, reload)
        self._surroundings.generation += 1

    def stop(self) -> None:
        workers = self._dismiss()
        deadline = monotonic() + STOP_TIMEOUT
        for worker in workers:
            worker.thread.join(max(0.0, deadline - monotonic()))
        if left := sum(worker.thread.is_alive() for worker in workers):
            logger.warning("%d threads still run a task; they end with it, or with the process.", left)

    def terminate(self) -> None:
        self._dismiss()

    def info(self) -> dict[str, Any]:
        soft, hard = self._default_limits
        return {
            **super().info(),
            "threads": len(self._workers),
            "timeouts": [0 if limit == NO_LIMITS.soft else limit for limit in (soft, hard)],
        }

    # -- the common queue ----------------------------------------------------------------------------------------------

    def _empty_queue(self) -> tuple[list[Job], int]:
        """The jobs that no thread has taken, and how many threads are asked to leave."""
        jobs: list[Job] = []
        leave = 0
        while True:
            try:
                job = self._surroundings.jobs.get_nowait()
            except Empty:
                return jobs, leave
            if job is None:
                leave += 1
            else:
                jobs.append(job)

    def _fill_queue(self, jobs: Sequence[Job], leave: int) -> None:
        """Put back what was there; who is asked to leave does so before the next job."""
        for _ in range(leave):
            self._surroundings.jobs.put(None)
        for job in jobs:
            self._surroundings.jobs.put(job)

    def _drop(self, number: int) -> bool:
        """Forget a job that no thread has taken; True where there was it."""
        jobs, leave = self._empty_queue()
        kept = [job for job in jobs if job.number != number]
        self._fill_queue(kept, leave)
        if len(kept) == len(jobs):
            return False
        self._loop.call_soon(self._report_not_run, Report(number, OutcomeKind.REVOKED, None, TERMINATED))
        return True

    def _report_not_run(self, report: Report) -> None:
        if not self._is_stopped:
            self._on_mail([[report]])

    # -- threads come and go -------------------------------------------------------------------------------------------

    def _add_worker(self) -> None:
        if self._is_stopped or len(self._workers) >= self.context.concurrency:
            return
        worker = Worker(self._surroundings, f"celeriac-worker-{next(self._names)}")
        self._workers.add(worker)
        worker.thread.start()

    def _let_go(self, n: int) -> None:
        jobs, leave = self._empty_queue()
        self._fill_queue(jobs, leave + n)

    def _replace_failed(self, worker: Worker) -> None:
        self._workers.discard(worker)
        delay = min(FIRST_DELAY * 2.0 ** min(self._failures, 20), LONGEST_DELAY)
        self._failures += 1
        logger.error("A thread could not start, %d in a row; the next one starts in %g s.", self._failures, delay)
        self._loop.call_later(delay, self._add_worker)

    def _dismiss(self) -> list[Worker]:
        """Have all threads end after the job that they run; nothing of them is heard any more."""
        if self._is_stopped:
            return []
        self.take_back()
        self._is_stopped = True
        workers = list(self._workers)
        for _ in workers:
            self._surroundings.jobs.put(None)
        self._mailbox.close()
        for timer in itertools.chain.from_iterable(self._timers.values()):
            timer.cancel()
        self._timers.clear()
        self._workers.clear()
        self._running = 0
        return workers

    # -- what threads tell ---------------------------------------------------------------------------------------------

    def _on_mail(self, items: list[list[Report] | Ready | Begun | Failed | Left]) -> None:
        reports: list[Report] = []
        for item in items:
            match item:
                case Ready():
                    self._failures = 0
                case Begun():
                    self._note(item)
                case Failed():
                    self._replace_failed(item.worker)
                case Left():
                    self._workers.discard(item.worker)
                case _:
                    reports += item
        if not reports:
            return
        self._running -= len(reports)
        if self._timers:
            self._unwatch(reports)
        self._on_reports(reports)

    def _note(self, begun: Begun) -> None:
        if self._on_started is not None:
            self._on_started([Run(begun.number, os.getpid(), begun.since)])
        if begun.limits is not NO_LIMITS:
            self._watch(begun)

    # -- time limits ---------------------------------------------------------------------------------------------------

    def _watch(self, begun: Begun) -> None:
        timers = self._timers[begun.number] = []
        soft, hard = begun.limits
        elapsed = monotonic() - begun.since
        if soft < hard:
            timers.append(self._loop.call_later(max(0.0, soft - elapsed), self._on_soft_limit, begun))
        if hard < NO_LIMITS.hard:
            timers.append(self._loop.call_later(max(0.0, hard - elapsed), self._on_hard_limit, begun))

    def _unwatch(self, reports: list[Report]) -> None:
        for report in reports:
            for timer in self._timers.pop(report.number, ()):
                timer.cancel()

    def _on_soft_limit(self, begun: Begun) -> None:
        if begun.worker.interrupt(begun.number):
            logger.warning("Task %s reached its soft time limit of %g s", begun.task, begun.limits.soft)

    def _on_hard_limit(self, begun: Begun) -> None:
        runtime = begun.worker.abandon(begun.number)
        if runtime is None:
            return
        limit = begun.limits.hard
        logger.error(
            "Task %s reached its hard time limit of %g s; its thread cannot be killed, and is left to itself",
            begun.task,
            limit,
        )
        detail = repr(TimeLimitExceeded(limit))
        self._replace_abandoned(begun.worker, Report(begun.number, OutcomeKind.HARD_TIME_LIMIT, runtime, detail))

    def _on_not_terminated(self, worker: Worker, number: int) -> None:
        runtime = worker.abandon(number)
        if runtime is not None:
            logger.error("Job %d is terminated, but does not end; its thread is left to itself.", number)
            self._replace_abandoned(worker, Report(number, OutcomeKind.REVOKED, runtime, TERMINATED))

    def _replace_abandoned(self, worker: Worker, report: Report) -> None:
        self._workers.discard(worker)
        self._add_worker()
        self._on_mail([[report]])
