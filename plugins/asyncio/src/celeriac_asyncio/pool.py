"""The pool of event loops."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts.limits import NO_LIMITS, limits_of, task_of
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import PoolContext, Report, Run
from celeriac.exceptions import TimeLimitExceeded
from celeriac.pools import process
from celeriac.pools.kill import Kill
from celeriac.pools.process_pool import ProcessPool
from celeriac.pools.processors import processors
from celeriac_asyncio.child import Child

if TYPE_CHECKING:
    from celeriac.contracts.loop import Timer
    from celeriac.pools.parcel import Parcel

logger = logging.getLogger(__name__)

#: Coroutines per processor where nobody says how many.
PER_PROCESSOR: Final = 100
#: Seconds beyond its hard limit after which a job that was cancelled without effect has its child killed: the child
#: gives it up before that, if its loop turns at all.
STUCK_AFTER: Final = 3.0


class AsyncioPool(ProcessPool[Child]):
    """Forks a few children, each with an event loop in which many jobs run at once.

    `PoolContext.concurrency` is the number of jobs of all children together.  Options: as `ProcessPool`, and
    ``asyncio_children`` where the setting ``worker_asyncio_children`` is not to be asked.
    """

    name: ClassVar[str] = "asyncio"

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        conf = getattr(context.app, "conf", None)
        self._configured: int | None = getattr(conf, "worker_asyncio_children", None)
        #: Hard limits of jobs that are neither reported nor taken back.
        self._hard_limits: dict[int, tuple[float, str]] = {}
        self._timers: dict[int, Timer] = {}

    @classmethod
    def auto_concurrency(cls, available: int) -> int:
        return available * PER_PROCESSOR

    # -- the contract --------------------------------------------------------------------------------------------------

    def room(self) -> int:
        return max(0, self.context.concurrency - self._running) if self._able() else 0

    def active(self) -> list[Run]:
        return [
            Run(number, child.pid, since)
            for child in list(self._children)
            for number, since in list(child.since.items())
        ]

    def terminate_job(self, number: int, signum: int = signal.SIGTERM) -> bool:
        child = next((child for child in self._children if number in child.assigned), None)
        if child is None:
            return self._drop(number)
        self._take_from(child)
        is_found = child.terminate(number) if number in child.assigned else self._drop(number)
        self._spread()
        return is_found

    def info(self) -> dict[str, Any]:
        return {**super().info(), "children": self._able()}

    # -- children ------------------------------------------------------------------------------------------------------

    def _wanted(self) -> int:
        asked_for = self.context.options.get("asyncio_children") or self._configured
        return min(asked_for or processors(), self.context.concurrency)

    def _most(self) -> int:
        return math.ceil(self.context.concurrency / self._wanted())

    def _new_child(self) -> Child:
        return Child()

    def _launch(self, child: Child) -> None:
        tells_starts = self._on_started is not None
        if self._recipe is not None:
            child.launch_anew(self._recipe, self._allowance, self._default_limits, tells_starts)
        else:
            child.launch(self.context.executor, self._allowance, self._default_limits, tells_starts)

    def _left_by(self, child: Child, code: int) -> tuple[list[Parcel], list[Report]]:
        never_received = child.take_back(len(child.assigned))
        return never_received, child.reports_of_lost(code)

    # -- loops that stand still ----------------------------------------------------------------------------------------

    def _note(self, number: int, headers: dict[str, Any]) -> None:
        hard = limits_of(headers, self._default_limits).hard
        if hard < NO_LIMITS.hard:
            self._hard_limits[number] = hard, task_of(headers)

    def _sender(self) -> Callable[[Child, Parcel], bool]:
        return self._send if self._hard_limits else Child.send

    def _send(self, child: Child, parcel: Parcel) -> bool:
        if not child.send(parcel):
            return False
        if (found := self._hard_limits.get(parcel.number)) is not None:
            hard, task = found
            self._timers[parcel.number] = self._loop.call_later(
                hard + STUCK_AFTER, self._on_stuck, child, parcel.number, hard, task
            )
        return True

    def _taken(self, child: Child, numbers: list[int]) -> None:  # as the contract has it
        for number in numbers:
            if (timer := self._timers.pop(number, None)) is not None:
                timer.cancel()

    def _ended(self, child: Child, numbers: list[int]) -> None:
        if self._hard_limits:
            self._taken(child, numbers)
            self._forgotten(numbers)

    def _forgotten(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._hard_limits.pop(number, None)
            if (timer := self._timers.pop(number, None)) is not None:
                timer.cancel()

    def _on_stuck(self, child: Child, number: int, limit: float, task: str) -> None:
        self._timers.pop(number, None)
        self._take_from(child)
        if number in child.assigned and not child.is_killed:
            logger.error(
                "Task %s reached its hard time limit of %g s, and the loop of process %d stands still; it is killed",
                task,
                limit,
                child.pid,
            )
            child.kill = Kill(number, signal.SIGKILL, OutcomeKind.HARD_TIME_LIMIT, repr(TimeLimitExceeded(limit)))
            child.is_killed = True
            process.kill(child.pid)
        self._spread()
