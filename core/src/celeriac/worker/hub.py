"""The worker's event loop: Kombu's Hub, turned by ourselves.

Transports register descriptors and timers with the Hub as they do in Celery.  The turning is our own, because Kombu's
sleeps although callbacks wait that other callbacks have scheduled, and fires ten timers a turn however many are due.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from kombu.asynchronous import Hub
from kombu.utils.eventio import ERR, READ, WRITE

logger = logging.getLogger("celeriac.worker.hub")

#: Seconds that the loop sleeps when nothing is scheduled; whatever happens wakes it.
_IDLE: Final = 60.0
#: Timers fired before descriptors get their turn.
_TIMERS_A_TURN: Final = 1000


class WorkerHub(Hub):
    """One per worker, turned by one thread; `call_soon` may be called from any."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Kombu has few types
        self._soon: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._thread = threading.get_ident()
        self._bell, self._ringer = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._ringer, False)
        self.add_reader(self._bell, self._heard)  # type: ignore[no-untyped-call]  # as above

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        self._soon.append((callback, args))
        if threading.get_ident() != self._thread:
            self.wake_up()

    def wake_up(self) -> None:
        """End the loop's sleep; safe in signal handlers and other threads."""
        with contextlib.suppress(OSError):  # full: it has been rung; closed: nobody sleeps there
            os.write(self._ringer, b"!")

    def _heard(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, 4096)

    def run_once(self) -> None:
        """One turn: what was to be called soon, what is due, then what the descriptors have.

        An error of a callback is logged; it ends neither the turn nor the loop.
        """
        self._thread = threading.get_ident()
        soon = self._soon
        for _ in range(len(soon)):
            callback, args = soon.popleft()
            self._call(callback, args)
        pause = self._fire()
        for tick in list(self.on_tick):
            self._call(tick, ())
        for fd, event in self.poller.poll(0 if soon else pause) or ():
            self._dispatch(fd, event)

    def _fire(self) -> float:
        """Call what is due; the seconds until the next is."""
        for _ in range(_TIMERS_A_TURN):
            wait, entry = next(self.scheduler)
            if entry is None:
                return _IDLE if wait is None else min(wait, _IDLE)
            self._call(entry, ())
        return 0.0

    def _dispatch(self, fd: int, event: int) -> None:
        found = None
        if event & (READ | ERR):
            found = self.readers.get(fd)
        if found is None and event & (WRITE | ERR):
            found = self.writers.get(fd)
        if found is None:
            self.remove(fd)  # type: ignore[no-untyped-call]  # as above
            return
        callback, args = found
        if hasattr(callback, "send"):  # a generator, as Kombu's own writers are
            self._advance(fd, callback)
        else:
            self._call(callback, args)

    def _advance(self, fd: int, generator: Any) -> None:
        try:
            next(generator)
        except StopIteration:
            pass
        except OSError as error:
            if error.errno != errno.EBADF:
                logger.exception("Callback of descriptor %d failed", fd)
            self.remove(fd)  # type: ignore[no-untyped-call]  # as above

    def _call(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            callback(*args)
        except Exception:
            logger.exception("Callback %r failed", callback)

    def close(self, *args: Any) -> None:
        super().close(*args)  # type: ignore[no-untyped-call]  # as above
        for fd in (self._bell, self._ringer):
            with contextlib.suppress(OSError):
                os.close(fd)
