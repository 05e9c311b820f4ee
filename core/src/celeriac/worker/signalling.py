"""What a worker does when it gets a signal: stop, start anew, or say what it is at."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from enum import Enum
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from celeriac.worker.stacks import stacks_of_all_threads

if TYPE_CHECKING:
    from celeriac.worker.boot import WorkController

logger = logging.getLogger("celeriac.worker")

#: Names the signal as which SIGTERM counts; SIGQUIT is the one that makes sense.
_REMAP: Final = "REMAP_SIGTERM"
#: Lets SIGUSR2 start the debugger, to which then everybody on this machine can talk.
_DEBUG: Final = "CELERY_RDBSIG"


class Stop(Enum):
    """How to end; a later one overrules an earlier one."""

    NONE = 0
    #: Finish what runs, give back the rest.
    WARM = 1
    #: The same, for a limited time.
    SOFT = 2
    #: Give back everything, at once.
    COLD = 3


class WorkerSignals:
    """The handlers of a worker that runs.

    SIGTERM or SIGINT stops warm, SIGQUIT as fast as the settings allow; each further one of them stops faster, and the
    last one ends the process on the spot.  SIGHUP starts the worker anew, or stops it warm where it belongs to a
    terminal.  SIGUSR1 logs the stacks of all threads, SIGUSR2 starts a debugger where that is allowed.

    In a thread other than the main one signals cannot be had; then this does nothing.
    """

    def __init__(self, worker: WorkController) -> None:
        self._worker = worker
        self._before: dict[int, Any] = {}
        self._wakeup = -1
        self._pipe: tuple[socket.socket, socket.socket] | None = None
        self._pid = os.getpid()
        self._term = _meaning_of_term()

    def __enter__(self) -> WorkerSignals:
        # The loop sleeps in a system call; a byte on this pipe ends it when a signal comes.
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        try:
            self._wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        except ValueError:
            # Not the main thread.  It is tried because `threading` may be wrong about that: eventlet replaces the
            # current thread and leaves the main one as it was.
            reader.close()
            writer.close()
            return self
        self._pipe = reader, writer
        self._worker.hub.add_reader(reader, self._drain)
        handlers: dict[int, Callable[[int, FrameType | None], None]] = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGQUIT: self._stop,
            signal.SIGHUP: self._hang_up,
            signal.SIGUSR1: self._tell_stacks,
        }
        if os.environ.get(_DEBUG):
            handlers[signal.SIGUSR2] = self._debug
        for number, handler in handlers.items():
            self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pipe is None or os.getpid() != self._pid:
            return
        for number, handler in self._before.items():
            # None: somebody has set it who was not Python, and Python cannot set that again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        for end in self._pipe:
            end.close()
        self._pipe = None

    def _drain(self) -> None:
        assert self._pipe is not None
        with contextlib.suppress(BlockingIOError):
            self._pipe[0].recv(4096)

    # -- what each means ----------------------------------------------------------------------------------------------

    def _stop(self, number: int, _: Any) -> None:
        worker, stop = self._worker, self._worker.stop_requested
        if os.getpid() != self._pid or stop is Stop.COLD:
            # A child that has not reset its handlers yet, or somebody who has lost patience.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        worker.stop_signal = signal.Signals(number).name
        if number == signal.SIGTERM:
            number = self._term
        if number == signal.SIGQUIT or stop is not Stop.NONE:
            worker.stop_faster()
        else:
            worker.stop(in_sighandler=True)

    def _hang_up(self, number: int, _: Any) -> None:
        if os.getpid() != self._pid:
            return
        worker = self._worker
        # Whoever closes a terminal does not want the worker back without one.
        worker.restart_requested = worker.restart_requested or not _has_terminal()
        worker.stop_signal = signal.Signals(number).name
        worker.stop(in_sighandler=True)

    def _tell_stacks(self, _number: int, _frame: Any) -> None:
        if os.getpid() == self._pid:
            # Here: the loop may be what does not move.
            logger.warning("What all threads do now:\n%s", stacks_of_all_threads())

    def _debug(self, _number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._pid:
            from celeriac.worker.debugger import set_trace  # nobody else needs a debugger

            set_trace(frame)


def _meaning_of_term() -> int:
    name = os.environ.get(_REMAP)
    if not name:
        return signal.SIGTERM
    number: int = getattr(signal, name, signal.SIGTERM) if name.startswith("SIG") else signal.SIGTERM
    if number == signal.SIGTERM and name != "SIGTERM":
        logger.warning("%s=%s names no signal, and is ignored; SIGQUIT is one", _REMAP, name)
    return number


def _has_terminal() -> bool:
    try:
        return sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # it is closed
        return False
