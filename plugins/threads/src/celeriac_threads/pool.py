"""The pool of threads."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts.limits import NO_LIMITS, Limits, seconds
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Pool, PoolContext, Report
from celeriac.exceptions import TimeLimitExceeded
from celeriac_threads.mailbox import Mailbox
from celeriac_threads.outbox import Outbox
from celeriac_threads.worker import Begun, Failed, Ready, Surroundings, Worker

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer

logger = logging.getLogger(__name__)

#: Jobs that wait in the common queue at most, so that no thread has to wait for the loop.
HAND_AHEAD: Final = 128
#: Seconds that `stop` gives the threads to end by themselves.
STOP_TIMEOUT: Final = 3.0
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
        self._mailbox: Mailbox[list[Report] | Ready | Begun | Failed]
        self._surroundings: Surroundings
        self._workers: set[Worker] = set()
        self._names = itertools.count(1)
        #: Submitted and neither reported nor taken back.
        self._running = 0
        #: Limits that are still to be looked at, by job.
        self._timers: dict[int, list[Timer]] = {}
        self._failures = 0
        self._is_stopped = True

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        self._loop = loop
        self._on_reports = on_reports
        self._is_stopped = False
        self._mailbox = Mailbox(loop, self._on_mail)
        self._surroundings = Surroundings(
            SimpleQueue(), Outbox(self._mailbox.post), self._mailbox.post, self.context.executor, self._default_limits
        )
        for _ in range(self.context.concurrency):
            self._add_worker()

    def room(self) -> int:
        if not self._workers:
            return 0
        return max(0, len(self._workers) + HAND_AHEAD - self._running)

    def submit(self, jobs: Sequence[Job]) -> None:
        self._running += len(jobs)
        for job in jobs:
            self._surroundings.jobs.put(job)

    def take_back(self) -> list[int]:
        if self._is_stopped:
            return []
        numbers = []
        while True:
            try:
                job = self._surroundings.jobs.get_nowait()
            except Empty:
                break
            if job is not None:
                numbers.append(job.number)
        self._running -= len(numbers)
        return numbers

    def running(self) -> int:
        return self._running

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

    # -- threads come and go -------------------------------------------------------------------------------------------

    def _add_worker(self) -> None:
        if self._is_stopped:
            return
        worker = Worker(self._surroundings, f"celeriac-worker-{next(self._names)}")
        self._workers.add(worker)
        worker.thread.start()

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

    def _on_mail(self, items: list[list[Report] | Ready | Begun | Failed]) -> None:
        reports: list[Report] = []
        for item in items:
            match item:
                case Ready():
                    self._failures = 0
                case Begun():
                    self._watch(item)
                case Failed():
                    self._replace_failed(item.worker)
                case _:
                    reports += item
        if not reports:
            return
        self._running -= len(reports)
        if self._timers:
            self._unwatch(reports)
        self._on_reports(reports)

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
            logger.warning("Soft time limit of %g s reached by job %d.", begun.limits.soft, begun.number)

    def _on_hard_limit(self, begun: Begun) -> None:
        runtime = begun.worker.abandon(begun.number)
        if runtime is None:
            return
        limit = begun.limits.hard
        logger.error(
            "Hard time limit of %g s reached by job %d; its thread cannot be killed, and is left to itself.",
            limit,
            begun.number,
        )
        self._workers.discard(begun.worker)
        self._add_worker()
        detail = repr(TimeLimitExceeded(limit))
        self._on_mail([[Report(begun.number, OutcomeKind.HARD_TIME_LIMIT, runtime, detail)]])
