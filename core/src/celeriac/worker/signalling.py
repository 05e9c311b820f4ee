"""How a worker is told to stop: signals, and what each asks for."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.worker.boot import WorkController


class Stop(Enum):
    """How to end; a later one overrules an earlier one."""

    NONE = 0
    #: Finish what runs, give back the rest.
    WARM = 1
    #: Give back everything, at once.
    COLD = 2


class StopSignals:
    """While in use: SIGTERM or SIGINT stops warm, a second one or SIGQUIT cold, one more ends the process on the spot.

    In a thread other than the main one signals cannot be had; then this does nothing.
    """

    def __init__(self, worker: WorkController) -> None:
        self._worker = worker
        self._before: dict[int, Any] = {}
        self._wakeup = -1
        self._pipe: tuple[socket.socket, socket.socket] | None = None
        self._pid = os.getpid()

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is not threading.main_thread():
            return self
        # The loop sleeps in a system call; a byte on this pipe ends it when a signal comes.
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self._pipe = reader, writer
        self._worker.hub.add_reader(reader, self._drain)
        self._wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._before[number] = signal.signal(number, self._handle)
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

    def _handle(self, number: int, _: Any) -> None:
        stop = self._worker.stop_requested
        if os.getpid() != self._pid or stop is Stop.COLD:
            # A child that has not reset its handlers yet, or somebody who has lost patience.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self._worker.stop_signal = signal.Signals(number).name
        if number == signal.SIGQUIT or stop is Stop.WARM:
            self._worker.terminate(in_sighandler=True)
        else:
            self._worker.stop(in_sighandler=True)
