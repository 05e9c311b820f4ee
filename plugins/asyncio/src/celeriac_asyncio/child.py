"""One child as its parent sees it: it begins each job as soon as it receives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Report
from celeriac.pools import process
from celeriac.pools.child import ChildProcess
from celeriac_asyncio.runner import WORD, run_child

if TYPE_CHECKING:
    from celeriac.contracts.limits import Limits
    from celeriac.contracts.pool import Executor, Recipe
    from celeriac.pools.allowance import Allowance
    from celeriac.pools.frames import Row
    from celeriac.pools.parcel import Parcel


class Child(ChildProcess):
    """A process of the pool, with an event loop."""

    def __init__(self) -> None:
        super().__init__()
        #: When each job was sent, by its number (`time.monotonic`).
        self.since: dict[int, float] = {}

    def launch(
        self, make_executor: Callable[[], Executor], allowance: Allowance, limits: Limits, tells_starts: bool
    ) -> None:
        """Start the process.  Raises `OSError`."""
        self.start(lambda jobs, reports: run_child(make_executor, jobs, reports, allowance, limits, tells_starts))

    def launch_anew(self, recipe: Recipe, allowance: Allowance, limits: Limits, tells_starts: bool) -> None:
        """Start the process as a new interpreter.  Raises `OSError`."""
        arguments = (allowance.tasks, allowance.memory, *limits, tells_starts)
        self.spawn("celeriac_asyncio.runner:run_spawned", recipe, arguments)

    def send(self, parcel: Parcel) -> bool:
        if not super().send(parcel):
            return False
        self.since[parcel.number] = monotonic()
        return True

    def settle(self, rows: Iterable[Row]) -> None:
        super().settle(rows)
        for row in rows:
            self.since.pop(row[0], None)

    def take_back(self, limit: int) -> list[Parcel]:
        taken = super().take_back(limit)
        for parcel in taken:
            self.since.pop(parcel.number, None)
        return taken

    def terminate(self, number: int) -> bool:
        """Have a job cancelled; False where the child cannot be told now."""
        return self.tell(WORD.pack(number))

    def reports_of_lost(self, code: int) -> list[Report]:
        """The reports of all jobs that it had, after its death."""
        lost = []
        for number in self.assigned:
            runtime = monotonic() - self.since.get(number, monotonic())
            if self.kill is not None and number == self.kill.number:
                lost.append(Report(number, self.kill.kind, runtime, self.kill.detail))
                continue
            detail = f"the child process {self.pid} ended with {process.describe_exit(code)} while it ran the task"
            # Of a kill of ours none of these is to blame; else it may have been any of them.
            lost.append(Report(number, OutcomeKind.WORKER_LOST, None, detail, is_suspect=not self.is_killed))
        return lost
