"""Threads in which plain functions run, beside the event loop."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

logger = logging.getLogger(__name__)

Call = Callable[[], None]


class Threads:
    """Begins a call at once, in a thread that has nothing to do or in a new one.

    `enter` is called once in each thread.  How many there are is up to the caller.
    """

    def __init__(self, enter: Callable[[], None]) -> None:
        self._enter = enter
        self._idle: deque[SimpleQueue[Call]] = deque()
        self._names = itertools.count(1)

    def begin(self, call: Call) -> None:
        """Have `call`, which must not raise, called in a thread."""
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = SimpleQueue()
            name = f"celeriac-worker-{next(self._names)}"
            # Daemonic: a task that never ends must not keep the child from ending.
            threading.Thread(target=self._serve, args=(inbox,), name=name, daemon=True).start()
        inbox.put(call)

    def _serve(self, inbox: SimpleQueue[Call]) -> None:
        self._enter()
        while True:
            inbox.get()()
            self._idle.append(inbox)
