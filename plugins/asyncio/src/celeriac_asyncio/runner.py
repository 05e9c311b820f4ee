"""The life of a child: an event loop, jobs that begin as they arrive, reports."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from celeriac.contracts.limits import Limits, limits_of
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Report
from celeriac.pools.allowance import Allowance
from celeriac.pools.frames import LEAVING, READY, frame_of_notice
from celeriac.pools.parcel import ANCILLARY_SIZE, DATAGRAM_SIZE, descriptors_in, number_in, unpack
from celeriac.pools.process import CANNOT_START, exit_code_of
from celeriac_asyncio.coroutine_run import CoroutineRun
from celeriac_asyncio.outbox import Outbox
from celeriac_asyncio.run import JobRun, is_for_loop
from celeriac_asyncio.thread_run import ThreadRun
from celeriac_asyncio.threads import Threads

if TYPE_CHECKING:
    from celeriac.contracts.pool import Executor, Job

logger = logging.getLogger(__name__)

#: What the parent says: the number of a job that is to be ended.
WORD: Final = struct.Struct("!q")


class Runner:
    """Runs jobs until the parent has no more or the allowance is used up."""

    def __init__(
        self,
        executor: Executor,
        jobs: socket.socket,
        reports: socket.socket,
        allowance: Allowance,
        limits: Limits,
        tells_starts: bool,
    ) -> None:
        self._executor = executor
        self._jobs = jobs
        self._reports = reports
        self._allowance = allowance
        self._is_bounded = allowance != Allowance()
        self._limits = limits
        self._tells_starts = tells_starts
        self._runs: dict[int, JobRun] = {}
        self._threads = Threads(getattr(executor, "enter_thread", _nothing))
        self._count = 0
        self._words = b""
        self._outbox: Outbox

    async def run(self) -> None:
        """Returns when there is nothing more to run here; all that ran is reported by then."""
        loop = asyncio.get_running_loop()
        self._outbox = Outbox(self._executor.flush, self._reports.sendall, self._on_sent)
        self._no_more = asyncio.Event()
        self._idle = asyncio.Event()
        self._reports.sendall(frame_of_notice(READY))
        loop.add_reader(self._jobs, self._on_jobs)
        loop.add_reader(self._reports, self._on_word)
        await self._no_more.wait()
        loop.remove_reader(self._jobs)
        while self._runs:
            self._idle.clear()
            await self._idle.wait()
        loop.remove_reader(self._reports)
        await self._outbox.drain()

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def _on_jobs(self) -> None:
        while not self._no_more.is_set():
            try:
                data, ancillary, _, _ = self._jobs.recvmsg(DATAGRAM_SIZE, ANCILLARY_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if not data:
                self._no_more.set()
                return
            try:
                self._begin(unpack(data, descriptors_in(ancillary) if ancillary else ()))
            except OSError as error:
                number = number_in(data)
                logger.error("Job %d came without its content (%s) and goes back to its queue.", number, error)
                self._outbox.add(Report(number, OutcomeKind.REJECTED, None, repr(error), requeue=True))

    def _begin(self, job: Job) -> None:
        executor, limits = self._executor, limits_of(job.headers, self._limits)
        run: JobRun
        if is_for_loop(executor, job):
            run = CoroutineRun(job, limits, self._on_end, executor)  # type: ignore[arg-type]  # as has just been found
        else:
            run = ThreadRun(job, limits, self._on_end, executor, self._threads)
        self._runs[run.number] = run
        if self._tells_starts:
            self._outbox.tell_start(run.number, run.since)
        run.begin()

    def _on_end(self, run: JobRun, report: Report) -> None:
        del self._runs[run.number]
        self._outbox.add(report)
        self._count += 1
        if not self._runs:
            self._idle.set()

    def _on_sent(self, count: int) -> None:
        if self._is_bounded and count and not self._no_more.is_set() and self._allowance.is_used_up(self._count):
            self._no_more.set()
            logger.info("This child of the pool is replaced: %s", self._allowance.spent(self._count))
            self._reports.sendall(frame_of_notice(LEAVING))

    # -- words of the parent -------------------------------------------------------------------------------------------

    def _on_word(self) -> None:
        try:
            data = self._reports.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:  # it is gone, and so are we, at any moment
            asyncio.get_running_loop().remove_reader(self._reports)
            return
        data = self._words + data
        whole = len(data) - len(data) % WORD.size
        self._words = data[whole:]
        for (number,) in WORD.iter_unpack(data[:whole]):
            if (run := self._runs.get(number)) is not None:
                run.terminate()


def _nothing() -> None:
    return None


def run_child(
    make_executor: Callable[[], Executor],
    jobs: socket.socket,
    reports: socket.socket,
    allowance: Allowance,
    limits: Limits,
    tells_starts: bool,
) -> int:
    """All that a child does, from the making of its executor; returns its exit code."""
    try:
        executor = make_executor()
    except Exception:
        logger.critical("A child of the pool could not be set up.", exc_info=True)
        return CANNOT_START
    code = 1
    try:
        asyncio.run(Runner(executor, jobs, reports, allowance, limits, tells_starts).run())
        code = 0
    except SystemExit as request:
        code = exit_code_of(request)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    finally:
        executor.close(code)
    return code


def run_spawned(
    make_executor: Callable[[], Executor],
    jobs: socket.socket,
    reports: socket.socket,
    tasks: int | None,
    memory: int | None,
    soft: float,
    hard: float,
    tells_starts: bool,
) -> int:
    """The same in a new interpreter."""
    return run_child(make_executor, jobs, reports, Allowance(tasks, memory), Limits(soft, hard), tells_starts)
