"""When a child is to be looked at, because one of its jobs may have reached a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from celeriac.contracts.limits import NO_LIMITS, Limits

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer


class LimitWatch:
    """Looks at one child's board whenever one of its jobs may have reached a limit; one timer, no message.

    `read` tells which job runs and since when.  `on_soft` and `on_hard` are called, from the loop, with the number of
    a job that has reached its limit and the limit; `on_soft` once per job.
    """

    def __init__(
        self,
        loop: EventLoop,
        read: Callable[[], tuple[int, float]],
        on_soft: Callable[[int, float], None],
        on_hard: Callable[[int, float], None],
    ) -> None:
        self._loop = loop
        self._read = read
        self._on_soft = on_soft
        self._on_hard = on_hard
        self._limits: dict[int, Limits] = {}
        self._warned: int | None = None
        self._timer: Timer | None = None
        self._due = math.inf

    def add(self, number: int, limits: Limits) -> None:
        """The child was given this job, and may begin it at any moment."""
        self._limits[number] = limits
        self._look_in(limits.first)

    def discard(self, number: int) -> None:
        """The job has ended or is the child's no more."""
        self._limits.pop(number, None)

    def close(self) -> None:
        """Look no more."""
        self._limits.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, delay: float) -> None:
        due = monotonic() + delay
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        number, since = self._read()
        limits = self._limits.get(number, NO_LIMITS)
        delay = math.inf
        if limits is not NO_LIMITS:
            delay = self._judge(number, monotonic() - since, limits)
        # Any of the others may begin right now; none can reach a limit before its time.
        others = (other.first for waiting, other in self._limits.items() if waiting != number)
        delay = min(delay, min(others, default=math.inf))
        if delay < math.inf:
            self._look_in(delay)

    def _judge(self, number: int, elapsed: float, limits: Limits) -> float:
        if elapsed >= limits.hard:
            self._on_hard(number, limits.hard)
            return math.inf
        if self._warned == number:
            return limits.hard - elapsed
        if elapsed < limits.soft:
            return limits.first - elapsed
        self._warned = number
        self._on_soft(number, limits.soft)
        return limits.hard - elapsed
