"""What threads tell the loop."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Carries items from any thread to a callback in the loop's thread, with one system call for all that gather."""

    def __init__(self, loop: EventLoop, on_items: Callable[[list[T]], None]) -> None:
        self._loop = loop
        self._on_items = on_items
        self._items: deque[T] = deque()
        self._is_called = False
        #: Held while the pipe is used or closed.
        self._pipe = threading.Lock()
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        os.set_blocking(self._in, False)
        loop.add_reader(self._out, self._on_readable)

    def post(self, item: T) -> None:
        """Leave an item; from any thread, also after the mailbox was closed."""
        self._items.append(item)
        if self._is_called:
            return
        self._is_called = True
        with self._pipe:
            if self._in >= 0:
                os.write(self._in, b"\0")

    def close(self) -> None:
        """Deliver no more; tolerates twice."""
        with self._pipe:
            if self._in < 0:
                return
            self._loop.remove_reader(self._out)
            os.close(self._out)
            os.close(self._in)
            self._out = self._in = -1

    def _on_readable(self) -> None:
        try:
            os.read(self._out, 4096)
        except BlockingIOError:  # meant for a descriptor that was closed in this turn of the loop
            return
        # Before emptying: an item that comes later calls again.
        self._is_called = False
        if items := [self._items.popleft() for _ in range(len(self._items))]:
            self._on_items(items)
