"""Connections that the threads of a process share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from celeriac_redis.link import Link

#: More idle connections than that are closed.
_IDLE: Final = 10


class Links:
    """Lends a connection to one thread at a time."""

    def __init__(self, make: Callable[[], Link]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._idle: list[Link] = []

    @contextmanager
    def lend(self) -> Iterator[Link]:
        """A connection for one use."""
        with self._lock:
            link = self._idle.pop() if self._idle else None
        if link is None:
            link = self._make()
        try:
            yield link
        finally:
            with self._lock:
                keep = link.connected and len(self._idle) < _IDLE
                if keep:
                    self._idle.append(link)
            if not keep:
                link.close()

    def close(self) -> None:
        """Close those that nobody uses; later uses open new ones."""
        with self._lock:
            links, self._idle = self._idle, []
        for link in links:
            link.close()

    def after_fork(self) -> None:
        """In a forked child: nothing of this is the child's, and the lock may be held by a thread that is not here."""
        self._lock = threading.Lock()
        self._idle = []
