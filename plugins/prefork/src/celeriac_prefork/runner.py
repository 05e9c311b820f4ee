"""The life of a child: receive a job, run it, report it, and again."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Executor, Job, Report
from celeriac.exceptions import SoftTimeLimitExceeded
from celeriac.pools.allowance import Allowance
from celeriac.pools.frames import LEAVING, READY, Begun, frame_of_notice, frame_of_reports, frame_of_starts
from celeriac.pools.parcel import ANCILLARY_SIZE, DATAGRAM_SIZE, descriptors_in, number_in, unpack
from celeriac.pools.process import CANNOT_START, exit_code_of
from celeriac_prefork.board import Board
from celeriac_prefork.flusher import ReportFlusher

logger = logging.getLogger(__name__)


class Runner:
    """Runs jobs in the main thread of a child until the parent has no more or the allowance is used up."""

    def __init__(
        self,
        executor: Executor,
        jobs: socket.socket,
        reports: socket.socket,
        board: Board,
        allowance: Allowance,
        tells_starts: bool = False,
    ) -> None:
        self._executor = executor
        self._jobs = jobs
        self._reports = reports
        self._board = board
        self._allowance = allowance
        self._flusher = ReportFlusher(executor.flush, self._send, self._send_starts)
        self._begin = self._begin_and_tell if tells_starts else board.begin
        #: A task has forked, and this is the process that it made: not a child of the pool at all.
        self._is_copy = False

    def run(self) -> None:
        """Returns when there is nothing more to run here; all that ran is reported by then."""
        signal.signal(signal.SIGUSR1, self._on_soft_limit)
        os.register_at_fork(
            before=self._flusher.before_fork,
            after_in_parent=self._flusher.after_fork_in_parent,
            after_in_child=self._become_copy,
        )
        self._reports.sendall(frame_of_notice(READY))
        try:
            self._serve()
        finally:
            if self._is_copy:
                os._exit(0)
            self._flusher.flush_now()

    def _serve(self) -> None:
        receive, board, flusher = self._jobs.recvmsg, self._board, self._flusher
        begin, end, add, hurry, run = self._begin, board.end, flusher.add, flusher.hurry, self._executor.run
        bounded = self._allowance != Allowance()
        count = 0
        while True:
            try:
                data, ancillary, _, _ = receive(DATAGRAM_SIZE, ANCILLARY_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                flusher.flush_now()
                data, ancillary, _, _ = receive(DATAGRAM_SIZE, ANCILLARY_SIZE)
            else:
                hurry()
            if not data:
                return
            try:
                job = unpack(data, descriptors_in(ancillary) if ancillary else ())
            except OSError as error:
                add(_report_of_unreadable(data, error))
                continue
            try:
                begin(job.number)
                report = run(job)
                end()
            except Exception as error:  # noqa: BLE001  # must be reported, whatever it is
                end()
                report = _report_of_escaped(job, error)
            if self._is_copy:
                return
            add(report)
            if bounded:
                count += 1
                if self._allowance.is_used_up(count):
                    logger.info("This child of the pool is replaced: %s", self._allowance.spent(count))
                    flusher.flush_now()
                    self._reports.sendall(frame_of_notice(LEAVING))
                    return

    def _on_soft_limit(self, _number: int, frame: FrameType | None) -> None:
        # Between two jobs the loop itself is on top of the stack: too late for the one, too early for the other.
        if frame is not None and frame.f_code is Runner._serve.__code__:
            return
        if self._board.is_interrupted():
            raise SoftTimeLimitExceeded

    def _become_copy(self) -> None:
        self._is_copy = True

    def _begin_and_tell(self, number: int) -> None:
        self._board.begin(number)
        self._flusher.tell_start(number, self._board.read()[1])

    def _send_starts(self, begun: list[Begun]) -> None:
        self._reports.sendall(frame_of_starts(begun))

    def _send(self, reports: list[Report]) -> None:
        self._reports.sendall(frame_of_reports(reports))


def _report_of_escaped(job: Job, error: Exception) -> Report:
    logger.critical("The executor itself failed on job %d, which counts as lost.", job.number, exc_info=error)
    return Report(job.number, OutcomeKind.WORKER_LOST, None, repr(error))


def _report_of_unreadable(data: bytes, error: OSError) -> Report:
    number = number_in(data)
    logger.error("Job %d came without its content (%s) and goes back to its queue.", number, error)
    return Report(number, OutcomeKind.REJECTED, None, repr(error), requeue=True)


def run_child(
    make_executor: Callable[[], Executor],
    jobs: socket.socket,
    reports: socket.socket,
    board: Board,
    allowance: Allowance,
    tells_starts: bool = False,
) -> int:
    """All that a child does, from the making of its executor; returns its exit code."""
    try:
        executor = make_executor()
    except Exception:
        logger.critical("A child of the pool could not be set up.", exc_info=True)
        return CANNOT_START
    code = 1
    try:
        Runner(executor, jobs, reports, board, allowance, tells_starts).run()
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
    board: int,
    tasks: int | None,
    memory: int | None,
    tells_starts: bool,
) -> int:
    """The same in a new interpreter, where the board is in a file."""
    return run_child(make_executor, jobs, reports, Board(board), Allowance(tasks, memory), tells_starts)
