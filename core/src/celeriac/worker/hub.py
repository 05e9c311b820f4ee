"""The worker's event loop: Kombu's Hub, turned by ourselves.

Transports register descriptors and timers with the Hub as they do in Celery.  The turning is our own, because Kombu's
sleeps although callbacks wait that other callbacks have scheduled, and fires ten timers a turn however many are due.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from kombu.asynchronous import Hub
from kombu.utils.compat import fileno
from kombu.utils.eventio import ERR, READ, WRITE

from celeriac.worker.timer import WorkerTimer

if TYPE_CHECKING:
    from celeriac.contracts.loop import Timer

logger = logging.getLogger("celeriac.worker.hub")

#: Timers fired before descriptors get their turn.
_TIMERS_A_TURN: Final = 1000
_READABLE: Final = READ | ERR
_WRITABLE: Final = WRITE | ERR
#: How many of the units in which a poller counts its sleep make a second; it rounds up.
_TICKS: Final = 1000
#: Descriptors from here on `select.select` does not take.
_SELECTABLE: Final = 1024
#: So often in a row a descriptor's callback may fail; then the descriptor is watched no more, or the loop would spin.
_FAILURES: Final = 10


class WorkerHub(Hub):
    """One per worker, turned by one thread; `call_soon` and `wake_up` may be called from any."""

    timer: WorkerTimer
    is_closed = False

    def __init__(self) -> None:
        super().__init__(timer=WorkerTimer())  # type: ignore[no-untyped-call]  # Kombu has few types
        self._soon: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._thread = threading.get_ident()
        self._failures: dict[int, int] = {}
        self._bell: socket.socket | None = None
        self._ringer: socket.socket | None = None

    def _create_poller(self) -> None:
        super()._create_poller()  # type: ignore[no-untyped-call]  # as above
        # Readable when one that it watches is.  Other pollers have none, and that of greenlets counts finely itself.
        epoll = getattr(self._poller, "_epoll", None)
        self._epoll_fd: int | None = None if epoll is None or epoll.fileno() >= _SELECTABLE else epoll.fileno()

    # -- scheduling ---------------------------------------------------------------------------------------------------

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self._soon.append((callback, args))
        if threading.get_ident() != self._thread:
            self.wake_up()

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        return super().call_later(delay, callback, *args)  # type: ignore[no-untyped-call, no-any-return]  # as above

    def call_repeatedly(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        return super().call_repeatedly(delay, callback, *args)  # type: ignore[no-untyped-call, no-any-return]  # as above

    def wake_up(self) -> None:
        """End the loop's sleep; safe in signal handlers and other threads, also when the loop is closed."""
        ringer = self._ringer
        if ringer is not None:
            with contextlib.suppress(OSError):  # full: it has been rung; closed: nobody sleeps there
                ringer.send(b"!")

    def _hang_bell(self) -> None:
        """Made by the first turn, so that a loop that never turns holds nothing open."""
        # Sockets, not a pipe: a closed socket is never mistaken for what the system has given its number to since.
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self.add_reader(self._bell, self._heard, self._bell)

    def _heard(self, bell: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            bell.recv(4096)

    # -- watching -----------------------------------------------------------------------------------------------------

    def add(self, fd: Any, callback: Any, flags: int, args: Any = (), consolidate: bool = False) -> None:
        """Watch a descriptor for `flags`, besides what it is watched for already, which Kombu's would not do."""
        number = fileno(fd)
        before = self._watched_for(number)
        (self.readers if flags & READ else self.writers)[number] = (callback, args)
        self._failures.pop(number, None)
        self._watch(number, before)

    def add_reader(self, fds: Any, callback: Callable[..., Any], *args: Any) -> None:
        self.add(fds, callback, _READABLE, args)

    def add_writer(self, fds: Any, callback: Callable[..., Any], *args: Any) -> None:
        self.add(fds, callback, WRITE, args)

    def remove_reader(self, fd: Any) -> None:
        self._forget(fd, self.readers)

    def remove_writer(self, fd: Any) -> None:
        self._forget(fd, self.writers)

    def _forget(self, fd: Any, kind: dict[int, Any]) -> None:
        number = fileno(fd)
        before = self._watched_for(number)
        if kind.pop(number, None) is not None:
            self._watch(number, before)

    def _watched_for(self, fd: int) -> int:
        flags: int = _READABLE if fd in self.readers else 0
        return flags | WRITE if fd in self.writers else flags

    def _watch(self, fd: int, before: int) -> None:
        flags = self._watched_for(fd)
        if before and flags != before:
            self._unregister(fd)
        if flags:
            try:
                # Even where nothing has changed: the number may be that of a new file by now.
                self.poller.register(fd, flags)
            except (ValueError, OSError):
                self._discard(fd)  # type: ignore[no-untyped-call]  # Kombu has few types
                raise

    def _unregister(self, fd: Any) -> None:
        if not self.is_closed:  # Kombu would make a new poller
            super()._unregister(fd)  # type: ignore[no-untyped-call]  # as above

    # -- turning ------------------------------------------------------------------------------------------------------

    def run_once(self) -> None:
        """One turn: sleep until there is something, then all that descriptors have, is due, and was to be called soon.

        An error of a callback is logged; it ends neither the turn nor the loop.
        """
        self._thread = threading.get_ident()
        if self._bell is None:
            self._hang_bell()
        for tick in list(self.on_tick):
            self._call(tick, ())
        soon = self._soon
        for fd, event in self.poller.poll(0 if soon else self._pause()) or ():
            self._dispatch(fd, event)
        for entry in self.timer.due(_TIMERS_A_TURN):
            self._call(entry, ())
        for _ in range(len(soon)):
            callback, args = soon.popleft()
            self._call(callback, args)

    def _pause(self) -> float:
        """Seconds that the poller may sleep: never past a timer, as it would by rounding up.

        What is less than its unit is slept here, and ends early with whatever the poller has by then.
        """
        pause = self.timer.pause()
        if pause <= 0 or self._epoll_fd is None:
            return pause
        whole = int(pause * _TICKS)
        if whole:
            return (whole - 0.5) / _TICKS  # which is rounded up to `whole`, however the division comes out
        select.select([self._epoll_fd], [], [], pause)
        return 0

    def _dispatch(self, fd: int, event: int) -> None:
        reader = self.readers.get(fd) if event & _READABLE else None
        if reader is not None:
            self._serve(fd, *reader)
        writer = self.writers.get(fd) if event & _WRITABLE else None
        if writer is not None:
            self._serve(fd, *writer)
        if reader is None and writer is None and not self._watched_for(fd):
            # Closed, or removed by a callback of this turn.
            self._unregister(fd)

    def _serve(self, fd: int, callback: Any, args: tuple[Any, ...]) -> None:
        is_generator = hasattr(callback, "send")  # as Kombu's own writers are
        if self._advance(fd, callback) if is_generator else self._call(callback, args):
            if self._failures:
                self._failures.pop(fd, None)
            return
        failures = self._failures[fd] = self._failures.get(fd, 0) + 1
        if failures >= _FAILURES:
            logger.error("Callback %r failed %d times in a row; descriptor %d is left alone", callback, failures, fd)
            self.remove(fd)  # type: ignore[no-untyped-call]  # as above
            del self._failures[fd]

    def _advance(self, fd: int, generator: Any) -> bool:
        try:
            next(generator)
        except StopIteration:
            pass
        except OSError as error:
            if error.errno != errno.EBADF:
                logger.exception("Callback of descriptor %d failed", fd)
            self.remove(fd)  # type: ignore[no-untyped-call]  # as above
        return True

    def _call(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        try:
            callback(*args)
        except Exception:
            logger.exception("Callback %r failed", callback)
            return False
        return True

    # -- closing ------------------------------------------------------------------------------------------------------

    def close(self, *args: Any) -> None:
        """Release the poller and the bell; tolerates being called twice."""
        if self.is_closed:
            return
        self.is_closed = True
        super().close(*args)  # type: ignore[no-untyped-call]  # as above
        for end in (self._bell, self._ringer):
            if end is not None:
                end.close()
