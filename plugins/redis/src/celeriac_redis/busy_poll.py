"""Looking for an answer for a moment before the thread is put to sleep."""

from __future__ import annotations

import socket
import time
from typing import Any, Final

#: A look that finds nothing costs more than one that finds something saves, so it has to do so four times out of five.
_GAIN, _LOSS, _MOST = 1, 4, 16
#: Answers that are waited for without looking, before it is tried again.
_REST: Final = 256


class BusyPoll:
    """Finds the answer of a server that is near before the thread sleeps, which takes longer than the server does.

    Where that does not pay, because the server is far, or has to wait for a processor, it is seldom tried.
    """

    __slots__ = ("_credit", "_recv", "_rest", "_seconds")

    def __init__(self, sock: Any, seconds: float) -> None:
        """`sock` has no timeout that Python keeps; `seconds` are those of one look."""
        self._recv = sock.recv
        self._seconds = seconds
        self._credit = _MOST
        self._rest = _REST

    @property
    def tries(self) -> bool:
        """Whether the next look is not omitted, unless it is time for one."""
        return self._credit > 0

    def look(self, most: int) -> bytes | None:
        """What comes at once, up to `most` bytes, empty at the end; None where nothing does."""
        if not self.tries:
            self._rest -= 1
            if self._rest > 0:
                return None
            self._credit, self._rest = 1, _REST
        monotonic_end = time.monotonic() + self._seconds
        while True:
            try:
                data: bytes = self._recv(most, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if time.monotonic() < monotonic_end:
                    continue
                self._credit -= _LOSS
                return None
            self._credit = min(self._credit + _GAIN, _MOST)
            return data
