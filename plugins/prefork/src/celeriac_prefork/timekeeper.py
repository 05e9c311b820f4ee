"""Which jobs have time limits, and whom to tell when one is reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.limits import NO_LIMITS, Limits, limits_of, task_of
from celeriac_prefork.limits import LimitWatch

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop
    from celeriac_prefork.child import Child

logger = logging.getLogger(__name__)

#: What a message says of its limits where it has none.
_NONE_STATED: Final = (None, [None, None])


class Timekeeper:
    """Keeps the limits of all jobs of the pool; costs nothing as long as there are none.

    At the soft limit of a job it interrupts the child; at the hard one it calls ``on_hard(child, number, limit)``.
    """

    def __init__(self, loop: EventLoop, default: Limits, on_hard: Callable[[Child, int, float], None]) -> None:
        self._loop = loop
        self._default = default
        self._on_hard = on_hard
        #: With the headers of their messages: of jobs that are neither reported nor taken back.
        self._limits: dict[int, tuple[Limits, dict[str, Any]]] = {}
        self._watches: dict[Child, LimitWatch] = {}

    def __bool__(self) -> bool:
        """True while any job has limits."""
        return bool(self._limits)

    def note(self, number: int, headers: dict[str, Any]) -> None:
        """A job was submitted."""
        if self._default == NO_LIMITS and headers.get("timelimit") in _NONE_STATED:
            return  # as nearly all
        limits = limits_of(headers, self._default)
        if limits is not NO_LIMITS:
            self._limits[number] = limits, headers

    def given(self, child: Child, number: int) -> None:
        """The child was given the job."""
        found = self._limits.get(number)
        if found is None:
            return
        watch = self._watches.get(child)
        if watch is None:
            watch = LimitWatch(self._loop, child.board.read, partial(self._warn, child), partial(self._on_hard, child))
            self._watches[child] = watch
        watch.add(number, found[0])

    def taken(self, child: Child, numbers: Iterable[int]) -> None:
        """The jobs were taken back from the child, to be given to another."""
        if (watch := self._watches.get(child)) is not None:
            for number in numbers:
                watch.discard(number)

    def ended(self, child: Child, numbers: Iterable[int]) -> None:
        """The child's jobs have come to an end."""
        self.taken(child, numbers)
        self.forget(numbers)

    def forget(self, numbers: Iterable[int]) -> None:
        """The jobs, which no child has, are not the pool's any more."""
        for number in numbers:
            self._limits.pop(number, None)

    def task(self, number: int) -> str:
        """The task of a job that has limits, as the log names it."""
        found = self._limits.get(number)
        return f"of job {number}" if found is None else task_of(found[1])

    def dismiss(self, child: Child) -> None:
        """The child is gone."""
        if (watch := self._watches.pop(child, None)) is not None:
            watch.close()

    def _warn(self, child: Child, number: int, limit: float) -> None:
        logger.warning("Task %s reached its soft time limit of %g s", self.task(number), limit)
        child.interrupt(number)
