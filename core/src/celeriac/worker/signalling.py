"""How a worker is told to stop: signals, and what each asks for."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from enum import Enum
from typing import Any


class Stop(Enum):
    """How to end; a later one overrules an earlier one."""

    NONE = 0
    #: Finish what runs, give back the rest.
    WARM = 1
    #: Give back everything, at once.
    COLD = 2


class StopSignals:
    """While in use: SIGTERM stops warm, a second one or SIGQUIT cold, SIGINT likewise (with a third, at once).

    In a thread other than the main one signals cannot be had; then this does nothing.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._before: dict[int, Any] = {}
        self._wakeup: int | None = None
        self._pipe: tuple[socket.socket, socket.socket] | None = None
        self._pid = os.getpid()

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._before[number] = signal.signal(number, self._handle)
        # The loop sleeps in a system call; a byte on this pipe ends it when a signal comes.
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self._pipe = reader, writer
        self._wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._worker.hub.add_reader(reader.fileno(), self._drain)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pipe is None or os.getpid() != self._pid:
            return
        signal.set_wakeup_fd(self._wakeup if self._wakeup is not None else -1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for end in self._pipe:
            end.close()
        self._pipe = None

    def _drain(self) -> None:
        assert self._pipe is not None
        with contextlib.suppress(BlockingIOError):
            self._pipe[0].recv(4096)

    def _handle(self, number: int, _: Any) -> None:
        if os.getpid() != self._pid:  # a child that has not reset its handlers yet
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        warm_before = self._worker._stop is not Stop.NONE  # the worker's own arm
        if number == signal.SIGQUIT or warm_before:
            self._worker.terminate(in_sighandler=True)
        else:
            self._worker.stop(in_sighandler=True)
