"""The pool of child processes that run one job at a time."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Report, Run
from celeriac.exceptions import TimeLimitExceeded
from celeriac.pools.kill import Kill
from celeriac.pools.process_pool import ProcessPool
from celeriac_prefork.board import NOTHING
from celeriac_prefork.child import Child
from celeriac_prefork.ending import reports_of_lost
from celeriac_prefork.killer import Killer
from celeriac_prefork.laden import most_laden
from celeriac_prefork.timekeeper import Timekeeper

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from celeriac.contracts.loop import EventLoop
    from celeriac.pools.parcel import Parcel

logger = logging.getLogger(__name__)

#: Jobs that one child is given at most, the running one included.
HAND_AHEAD: Final = 64


class PreforkPool(ProcessPool[Child]):
    """Runs one job per child at a time, and hands others ahead, which it can take back until they have begun."""

    name: ClassVar[str] = "prefork"

    # -- the contract --------------------------------------------------------------------------------------------------

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        self._times = Timekeeper(loop, self._default_limits, self._on_hard_limit)
        self._killer = Killer(loop, self._on_spared)
        super().start(loop, on_reports)

    def active(self) -> list[Run]:
        runs = []
        for child in list(self._children):
            number, since = child.board.read()
            if number != NOTHING:
                runs.append(Run(number, child.pid, since))
        return runs

    def terminate_job(self, number: int, signum: int = signal.SIGTERM) -> bool:
        child = next((child for child in self._children if number in child.assigned), None)
        if child is not None:
            # With nothing left to receive, the signal can hit no job but this one.
            self._take_from(child)
            if number in child.assigned:
                self._killer.kill(child, Kill(number, signum, OutcomeKind.REVOKED, TERMINATED))
        is_found = (child is not None and number in child.assigned) or self._drop(number)
        self._spread()
        return is_found

    # -- children ------------------------------------------------------------------------------------------------------

    def _new_child(self) -> Child:
        return Child()

    def _launch(self, child: Child) -> None:
        tells_starts = self._on_started is not None
        if self._recipe is not None:
            child.launch_anew(self._recipe, self._allowance, tells_starts)
        else:
            child.launch(self.context.executor, self._allowance, tells_starts)

    def _most(self) -> int:
        return HAND_AHEAD

    def _left_by(self, child: Child, code: int) -> tuple[list[Parcel], list[Report]]:
        never_begun, begun = child.take_remains()
        return never_begun, reports_of_lost(child, begun, code)

    def _gone(self, child: Child) -> None:
        self._times.dismiss(child)

    def _on_idle(self, child: Child) -> None:
        """Give it something of what others have not begun."""
        for other in most_laden(self._children):
            if other is not child and self._take_from(other, (other.not_begun + 1) // 2):
                break
        self._spread()

    # -- time limits ---------------------------------------------------------------------------------------------------

    def _note(self, number: int, headers: dict[str, Any]) -> None:
        self._times.note(number, headers)

    def _sender(self) -> Callable[[Child, Parcel], bool]:
        return self._send if self._times else Child.send

    def _send(self, child: Child, parcel: Parcel) -> bool:
        if not child.send(parcel):
            return False
        self._times.given(child, parcel.number)
        return True

    def _taken(self, child: Child, numbers: list[int]) -> None:
        if self._times:
            self._times.taken(child, numbers)

    def _ended(self, child: Child, numbers: list[int]) -> None:
        if self._times:
            self._times.ended(child, numbers)

    def _forgotten(self, numbers: Iterable[int]) -> None:
        self._times.forget(numbers)

    def _on_spared(self, _: Child) -> None:
        self._spread()

    def _on_hard_limit(self, child: Child, number: int, limit: float) -> None:
        self._take_from(child)
        if child.board.read()[0] == number:
            task = self._times.task(number)
            logger.error("Task %s reached its hard time limit of %g s; its process is killed", task, limit)
            detail = repr(TimeLimitExceeded(limit))
            self._killer.kill(child, Kill(number, signal.SIGKILL, OutcomeKind.HARD_TIME_LIMIT, detail))
        self._spread()
