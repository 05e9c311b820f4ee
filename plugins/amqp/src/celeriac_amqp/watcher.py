"""Waiting for results."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts import ResultWatcher
from celeriac.contracts.polling import reading
from celeriac.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from celeriac_amqp.replies import Found, Replies

#: Seconds after which the connection is looked at, in case another thread has made it anew.
_LOOK: Final = 5.0


class RpcWatcher(ResultWatcher):
    """Told of each result as it is read, by whoever reads."""

    shareable: ClassVar[bool] = True

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._watched: set[str] = set()
        self._news: list[tuple[str, Found]] = []
        self._closed = False
        #: Whoever waits here reads, and need not be woken for what that brings.
        self._is_reading = False
        self._is_rung = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        replies.join(self)

    def add(self, task_ids: Iterable[str]) -> None:
        new = set(task_ids)
        with self._replies.lock:
            self._watched |= new
            self._news += self._replies.kept(new).items()

    def discard(self, task_ids: Iterable[str]) -> None:
        with self._replies.lock:
            self._watched.difference_update(task_ids)

    def arrived(self, task_id: str, found: Found) -> None:
        """Called with the lock, also in other threads."""
        if task_id in self._watched:
            self._news.append((task_id, found))
            if not self._is_reading:
                self.wake()

    def wake(self) -> None:
        self._is_rung = True
        with contextlib.suppress(OSError):  # closed, or full of earlier calls
            self._waker.send(b"!")

    def wait(self, timeout: float | None) -> list[dict[str, Any]]:
        if self._closed:
            raise StoreUnavailable("this watcher was closed")
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._replies.lock:
                self._is_reading = True
                try:
                    wire = self._replies.read()
                finally:
                    self._is_reading = False
                found, fd = self._taken(), wire.sock.fileno()
            left = _LOOK if deadline is None else deadline - time.monotonic()
            if found or left <= 0:
                if self._is_rung:
                    self._heard()
                return found
            if self._was_woken(fd, min(left, _LOOK)):
                with self._replies.lock:
                    return self._taken()

    def _taken(self) -> list[dict[str, Any]]:
        news, self._news = self._news, []
        found: dict[str, dict[str, Any]] = {}
        for task_id, each in news:
            if task_id not in self._watched:
                continue
            if isinstance(each, Exception):
                raise each
            found[task_id] = each
        return list(found.values())

    def _was_woken(self, fd: int, timeout: float) -> bool:
        """Wait until something comes; whether somebody has called `wake`."""
        woken = self._woken.fileno()
        watched = [woken, fd] if fd >= 0 else [woken]
        ready = {number for number, _ in reading(*watched).poll(timeout * 1000)}
        return woken in ready and self._heard()

    def _heard(self) -> bool:
        self._is_rung = False
        with contextlib.suppress(BlockingIOError):
            return bool(self._woken.recv(4096))
        return False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._replies.leave(self)
            self._woken.close()
            self._waker.close()
