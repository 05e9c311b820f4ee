"""One call at a wall-clock time, on an event loop whose timers know only delays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from celeriac.protocol import wall

if TYPE_CHECKING:
    from celeriac.contracts import EventLoop
    from celeriac.contracts.loop import Timer

#: The wall clock may be set while a timer runs, so a long wait is looked at again after this many seconds.
LONGEST_WAIT: Final = 60.0


class Alarm:
    """Calls `callback` about when it was last set to, perhaps too early, never twice for one setting."""

    def __init__(self, loop: EventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._timer: Timer | None = None
        self._due = 0.0

    def set(self, due: float | None) -> None:
        """Call no later than at `due`, in seconds since the epoch; None: whenever it was set to before."""
        if due is None or (self._timer is not None and self._due <= due):
            return
        self.cancel()
        self._due = due
        self._timer = self._loop.call_later(min(max(due - wall.time(), 0.0), LONGEST_WAIT), self._ring)

    def cancel(self) -> None:
        """Call no more until set again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._callback()
