"""The reports of a child on their way to its parent: stored in batches, sent at once."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NoReturn

from celeriac.contracts.outcome import OutcomeKind

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report
    from celeriac.pools.frames import Begun

logger = logging.getLogger(__name__)

#: The exit code of a child that could not report (EX_IOERR of sysexits.h).
CANNOT_REPORT: Final = 74
#: So many reports wait at most; then the next job waits for them.
BOUND: Final = 500
#: The least time, in seconds, between two rounds of the thread.  Without it, jobs of a few microseconds would make the
#: two threads hand the interpreter to and fro for each of them; for jobs that take longer it changes nothing.
PACE: Final = 0.001


class ReportFlusher:
    """Takes each report from the thread that runs the jobs and sees to it that it reaches the parent soon.

    While there is a next job to run, a thread of its own stores and sends whatever has gathered; when there is none,
    the running thread does so itself, without a change of threads.  One at a time.
    """

    def __init__(
        self,
        flush: Callable[[list[Report]], list[Report]],
        send: Callable[[list[Report]], None],
        send_starts: Callable[[list[Begun]], None],
    ) -> None:
        self._flush = flush
        self._send = send
        self._send_starts = send_starts
        #: Appended to by one thread, taken from the front by another: never replaced.
        self._waiting: list[Report] = []
        #: Jobs that have begun and of which the parent is to be told; used like `_waiting`.
        self._begun: list[Begun] = []
        #: Held while flushing.  Re-entrant, because flushing may fork, and forking takes it (see `before_fork`).
        self._turn = threading.RLock()
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._called = False
        self._thread: threading.Thread | None = None

    def add(self, report: Report) -> None:
        """Take the report of a job; follow by `hurry` or `flush_now`."""
        self._waiting.append(report)

    def tell_start(self, number: int, since: float) -> None:
        """A job begins: tell the parent before its report, at once where nothing waits, else with what does."""
        self._begun.append((number, since))
        if self._waiting or not self._turn.acquire(blocking=False):
            self.hurry()
            return
        try:
            self._tell_starts()
        finally:
            self._turn.release()

    def hurry(self) -> None:
        """The next job is about to run: have the thread do what is waiting meanwhile."""
        if not self._waiting and not self._begun:
            return
        if len(self._waiting) >= BOUND:
            self.flush_now()
            return
        if self._called:
            return
        self._called = True
        self._calls.put(None)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="celeriac-reports", daemon=True)
            self._thread.start()

    def flush_now(self) -> None:
        """Store and send all that is waiting, and wait for what the thread is just sending."""
        with self._turn:
            while self._waiting or self._begun:
                batch = self._waiting[:]
                del self._waiting[: len(batch)]
                # After the reports were taken: each of these jobs has been noted as begun by now.
                if self._begun:
                    self._tell_starts()
                if batch:
                    self._deliver(batch)

    def before_fork(self) -> None:
        """A task forks: not in the middle of a flush, whose locks the new process would inherit locked for ever."""
        self._turn.acquire()

    def after_fork_in_parent(self) -> None:
        """The task has forked."""
        self._turn.release()

    def _tell_starts(self) -> None:
        begun = self._begun[:]
        del self._begun[: len(begun)]
        try:
            self._send_starts(begun)
        except Exception as error:  # noqa: BLE001  # as below
            _give_up(error)

    def _deliver(self, batch: list[Report]) -> None:
        try:
            stored = self._flush(batch)
        except Exception as error:
            logger.critical("Storing results failed in a way that the store should not.", exc_info=True)
            failure = repr(error)
            stored = [report._replace(kind=OutcomeKind.STORE_FAILED, detail=failure, stored=None) for report in batch]
        try:
            self._send(stored)
        except Exception as error:  # noqa: BLE001  # without a way to report there is nothing left to do here
            _give_up(error)

    def _serve(self) -> None:
        # Signals are for the thread that runs the tasks.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            self._calls.get()
            # Before taking what waits: a report that comes later calls again.
            self._called = False
            self.flush_now()
            time.sleep(PACE)


def _give_up(error: Exception) -> NoReturn:
    logger.critical(
        "Reports could not be sent; this child ends, and its unreported jobs count as lost.", exc_info=error
    )
    os._exit(CANNOT_REPORT)
