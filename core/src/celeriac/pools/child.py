"""A child process as its parent sees it: the sockets, and what it was given."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any, Final

from celeriac.pools import lifeline, process, spawning
from celeriac.pools.frames import Frame, FrameReader, Row
from celeriac.pools.parcel import ANCILLARY_SIZE, DATAGRAM_SIZE, Parcel, descriptors_in, in_file, number_in

if TYPE_CHECKING:
    from celeriac.contracts.pool import Recipe
    from celeriac.pools.kill import Kill

#: One datagram, one job.  SEQPACKET also tells the reader that the writer is gone; macOS has it in name only.
_DATAGRAMS: Final = socket.SOCK_DGRAM if sys.platform == "darwin" else socket.SOCK_SEQPACKET
#: What the kernel may hold for one child; it counts about 2.3 KiB for a small job.
_BUFFER_SIZE: Final = 1024 * 1024
_READ_SIZE: Final = 256 * 1024
#: What sending says when the socket holds as much as it may.
_FULL: Final = {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS}

_numbers: Final = itertools.count(1)
#: All children of which this process holds the parent's ends.
_held: set[ChildProcess] = set()


def _let_go_of_all() -> None:
    # In any process forked from here, another child of the pool or not: a child whose ends are still held somewhere
    # would not see its parent die, and its parent not its death.
    for child in list(_held):
        child.close()


os.register_at_fork(after_in_child=_let_go_of_all)


class ChildProcess:
    """A process of the pool.

    The parent keeps the end from which the child receives, so it can receive from there itself: the kernel gives each
    datagram to one of the two, so what the parent gets back was never begun.
    """

    def __init__(self) -> None:
        self.pid = 0
        #: Which of the children of this process it is, from 1; the one that takes its place is another.
        self.number = next(_numbers)
        #: Readable when the process has ended; None where the system has no such thing.
        self.watch: int | None = None
        #: Jobs that it was given and that have no report yet, in the order in which it receives them.
        self.assigned: dict[int, Parcel] = {}
        #: Its executor is made.
        self.is_ready = False
        #: At least one of its jobs has been reported.
        self.has_reported = False
        #: It has said that it receives no more and ends.
        self.is_leaving = False
        #: It has closed its end of the reports.
        self.is_silent = False
        #: Its socket was full when last tried.
        self.is_full = False
        #: For which job it is to be ended, and whether the signal has been sent.
        self.kill: Kill | None = None
        self.is_killed = False
        self._frames = FrameReader()
        self._open: list[socket.socket] = []
        try:
            self._jobs_in, self._jobs_out = self._pair(_DATAGRAMS)
            self._reports_in, self._reports_out = self._pair(socket.SOCK_STREAM)
            # Pipes, not one more socket: what is sent to or drained from a socket would raise the signal too.
            self._lifeline_out, self._lifeline_in = os.pipe()
        except OSError:
            self._close_sockets()
            raise
        self._jobs_in.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_SIZE)

    def start(self, run: Callable[[socket.socket, socket.socket], int]) -> None:
        """Fork; the child calls `run` with the socket of its jobs and that of its reports.  Raises `OSError`."""

        def main() -> int:
            self._jobs_in.close()
            self._reports_out.close()
            os.close(self._lifeline_in)
            lifeline.arm(self._lifeline_out)
            current_process().name = f"ForkPoolWorker-{self.number}"  # as log records call it
            return run(self._jobs_out, self._reports_in)

        self._has_started(process.start(main))

    def spawn(self, entry: str, recipe: Recipe, arguments: tuple[Any, ...] = (), files: Sequence[int] = ()) -> None:
        """Start a new interpreter, which calls ``entry(make_executor, jobs, reports, *files, *arguments)``.

        Raises `OSError`.
        """
        inherited = (self._jobs_out.fileno(), self._reports_in.fileno(), self._lifeline_out, *files)
        name = f"SpawnPoolWorker-{self.number}"
        self._has_started(spawning.start(entry, recipe, arguments, inherited, name))

    def _has_started(self, pid: int) -> None:
        self.pid = pid
        _held.add(self)
        self._reports_in.close()
        os.close(self._lifeline_out)
        self._lifeline_out = -1
        self.watch = process.exit_watch(self.pid)

    def fileno(self) -> int:
        """The descriptor on which its reports arrive."""
        return self._reports_out.fileno()

    @property
    def takes_jobs(self) -> bool:
        """What it is given now, it will run."""
        return not self.is_leaving and not self.is_silent and self.kill is None

    def send(self, parcel: Parcel) -> bool:
        """Hand a job over; False where the socket has no room for it now."""
        try:
            if parcel.file is None:
                self._jobs_in.send(parcel.data, socket.MSG_DONTWAIT)
            else:
                socket.send_fds(self._jobs_in, [parcel.data], [parcel.file], socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno == errno.EMSGSIZE and parcel.file is None:
                return self._send_in_file(parcel)
            if error.errno not in _FULL:
                raise
            self.is_full = True
            return False
        self.assigned[parcel.number] = parcel
        return True

    def _send_in_file(self, parcel: Parcel) -> bool:
        """Send what is too long for a datagram here, because the system allows only small buffers."""
        try:
            parcel = in_file(parcel)
        except OSError:  # no file now; later perhaps
            self.is_full = True
            return False
        if self.send(parcel):
            return True
        parcel.close()
        return False

    def settle(self, rows: Iterable[Row]) -> None:
        """These jobs have been reported."""
        assigned = self.assigned
        for row in rows:
            parcel = assigned.pop(row[0])
            if parcel.file is not None:
                parcel.close()

    def take_back(self, limit: int) -> list[Parcel]:
        """Up to `limit` jobs that it has not received, oldest first; they are not its own any more."""
        taken: list[Parcel] = []
        while len(taken) < limit:
            try:
                data, ancillary, _, _ = self._jobs_out.recvmsg(DATAGRAM_SIZE, ANCILLARY_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if not data:
                # That was for the child.
                self._say_that_no_more_come()
                break
            for duplicate in descriptors_in(ancillary):
                os.close(duplicate)
            taken.append(self.assigned.pop(number_in(data)))
        if taken:
            self.is_full = False
        return taken

    def read(self) -> tuple[list[Frame], bool]:
        """The frames that have arrived, and whether more can come (False once the child has closed its end)."""
        try:
            data = self._reports_out.recv(_READ_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return [], True
        except ConnectionResetError:
            return [], False
        return self._frames.feed(data), bool(data)

    def read_all(self) -> list[Frame]:
        """All frames that have arrived."""
        frames: list[Frame] = []
        while True:
            try:
                data = self._reports_out.recv(_READ_SIZE, socket.MSG_DONTWAIT)
            except (BlockingIOError, ConnectionResetError):
                return frames
            if not data:
                return frames
            frames += self._frames.feed(data)

    def tell(self, data: bytes) -> bool:
        """Say something to a child that listens where it reports; False where it cannot be told now."""
        try:
            return self._reports_out.send(data, socket.MSG_DONTWAIT) == len(data)
        except OSError:
            return False

    def retire(self) -> None:
        """Have it end once it has done what it has received; the caller has taken back the rest."""
        self.is_leaving = True
        self._say_that_no_more_come()

    def dismiss(self) -> None:
        """Tell it that no more jobs come, after those that it has."""
        self._say_that_no_more_come()
        self._jobs_in.close()
        self._jobs_out.close()

    def close(self) -> None:
        """Close all that this process holds of it; tolerates twice."""
        _held.discard(self)
        self._close_sockets()
        for name in ("_lifeline_in", "_lifeline_out", "watch"):
            descriptor = getattr(self, name, -1)
            if descriptor is not None and descriptor >= 0:
                os.close(descriptor)
                setattr(self, name, -1 if name != "watch" else None)
        for parcel in self.assigned.values():
            parcel.close()
        self.assigned.clear()

    def _say_that_no_more_come(self) -> None:
        try:
            # An empty datagram reads like the end, also where none is told.
            self._jobs_in.send(b"", socket.MSG_DONTWAIT)
        except OSError:  # full: it will see the end when both our sockets are closed
            self.is_full = True

    def _pair(self, kind: int) -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair(socket.AF_UNIX, kind)
        self._open += pair
        for each in pair:
            each.setblocking(True)  # whatever socket.setdefaulttimeout says
        return pair

    def _close_sockets(self) -> None:
        for each in self._open:
            each.close()
