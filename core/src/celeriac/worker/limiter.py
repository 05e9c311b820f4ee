"""Rate limits: messages that wait here until their task may run again."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from celeriac.protocol import wall

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac.worker.open_jobs import OpenJob

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}
#: Of a loop that comes round late, so many seconds are made up for: what was lost before is lost.
_MADE_UP: Final = 0.1


def rate_of(limit: Any) -> float:
    """Runs a second, from ``"10/s"``, ``"100/m"``, ``"5/h"`` or a number of runs a second; 0.0 where there is no limit.

    Raises ValueError for anything else.
    """
    if limit is None or limit == "":
        return 0.0
    number, slash, unit = str(limit).partition("/")
    if slash and unit.strip() not in _SECONDS:
        raise ValueError(f"{limit!r} is no rate limit: after the slash comes s, m or h, as in '10/s'")
    try:
        rate = float(number)
    except ValueError:
        rate = -1.0
    if not math.isfinite(rate) or rate < 0 or isinstance(limit, bool):
        raise ValueError(f"{limit!r} is no rate limit: write it as '10/s', '100/m', '5/h' or a number a second")
    return rate / _SECONDS[unit.strip()] if slash else rate


class _Line:
    """The messages of one task, in the order in which they came: a bucket that holds one token."""

    __slots__ = ("monotonic_next", "rate", "timer", "waiting")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.waiting: deque[OpenJob] = deque()
        #: When the next one may run.
        self.monotonic_next = 0.0
        self.timer: Timer | None = None


class Limiter:
    """Calls `on_due` with each message when its turn has come, or when it has expired."""

    def __init__(self, loop: EventLoop, on_due: Callable[[OpenJob], None]) -> None:
        self._loop = loop
        self._on_due = on_due
        #: By the name of the task; empty where nothing is limited, which is asked for every message.
        self.lines: dict[str, _Line] = {}
        self._expiries: dict[int, Timer] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def set(self, task: str, rate: float) -> None:
        """Limit a task to so many runs a second; 0: no more, and whatever waits is due."""
        line = self.lines.get(task)
        if rate:
            if line is None:
                self.lines[task] = _Line(rate)
                return
            # What was counted at the old rate is counted at the new one.
            now = time.monotonic()
            line.monotonic_next = now + max(0.0, line.monotonic_next - now) * line.rate / rate
            line.rate = rate
            self._wait(line)
        elif line is not None:
            del self.lines[task]
            if line.timer is not None:
                line.timer.cancel()
            while line.waiting:
                self._next(line)

    def takes(self, job: OpenJob) -> bool:
        """Whether it has to wait here; False where it may run now, which counts."""
        line = self.lines.get(job.name)
        if line is None:
            return False
        now = time.monotonic()
        if not line.waiting and now >= line.monotonic_next:
            line.monotonic_next = now + 1 / line.rate
            return False
        line.waiting.append(job)
        self._count += 1
        if job.expires is not None:
            pause = max(0.0, job.expires - wall.time())
            self._expiries[job.number] = self._loop.call_later(pause, self._expired, line, job)
        if line.timer is None:
            self._wait(line)
        return True

    def _wait(self, line: _Line) -> None:
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None
        if line.waiting:
            pause = max(0.0, line.monotonic_next - time.monotonic())
            line.timer = self._loop.call_later(pause, self._turn, line)

    def _turn(self, line: _Line) -> None:
        line.timer = None
        now = time.monotonic()
        line.monotonic_next = max(line.monotonic_next, now - _MADE_UP)
        while line.waiting and line.monotonic_next <= now:
            line.monotonic_next += 1 / line.rate
            self._next(line)
        self._wait(line)

    def _next(self, line: _Line) -> None:
        job = line.waiting.popleft()
        self._count -= 1
        self._forget_expiry(job)
        self._on_due(job)

    def _expired(self, line: _Line, job: OpenJob) -> None:
        if self._expiries.pop(job.number, None) is not None:
            line.waiting.remove(job)
            self._count -= 1
            self._on_due(job)  # whoever takes it from there sees that it has expired

    def _forget_expiry(self, job: OpenJob) -> None:
        timer = self._expiries.pop(job.number, None)
        if timer is not None:
            timer.cancel()

    def take(self, tags: Collection[Any] | None = None) -> list[OpenJob]:
        """Take out those with these tags, or all: they will not become due."""
        return self.take_matching(lambda job: tags is None or job.tag in tags)

    def take_matching(self, matches: Callable[[OpenJob], bool]) -> list[OpenJob]:
        """Take out those that match."""
        taken: list[OpenJob] = []
        for line in self.lines.values():
            found = [job for job in line.waiting if matches(job)]
            if found:
                gone = {job.number for job in found}
                line.waiting = deque(job for job in line.waiting if job.number not in gone)
                taken += found
                self._wait(line)
        self._count -= len(taken)
        for job in taken:
            self._forget_expiry(job)
        return taken

    def jobs(self) -> list[OpenJob]:
        """All that wait."""
        return [job for line in self.lines.values() for job in line.waiting]
