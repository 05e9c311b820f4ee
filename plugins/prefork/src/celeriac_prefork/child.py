"""One child as its parent sees it, with the board on which it says what it runs."""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from celeriac.pools import process
from celeriac.pools.child import ChildProcess
from celeriac.pools.parcel import file_with
from celeriac_prefork.board import Board
from celeriac_prefork.runner import run_child

if TYPE_CHECKING:
    from celeriac.contracts.pool import Executor, Recipe
    from celeriac.pools.allowance import Allowance
    from celeriac.pools.parcel import Parcel


class Child(ChildProcess):
    """A process of the pool, which runs one job at a time, in the order in which it receives them."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()

    def launch_anew(self, recipe: Recipe, allowance: Allowance, tells_starts: bool = False) -> None:
        """Start the process as a new interpreter.  Raises `OSError`."""
        file = file_with(bytes(mmap.PAGESIZE))
        try:
            board, self.board = self.board, Board(file)
            board.close()
            arguments = (allowance.tasks, allowance.memory, tells_starts)
            self.spawn("celeriac_prefork.runner:run_spawned", recipe, arguments, [file])
        finally:
            os.close(file)

    def launch(self, make_executor: Callable[[], Executor], allowance: Allowance, tells_starts: bool = False) -> None:
        """Start the process.  Raises `OSError`."""
        self.start(lambda jobs, reports: run_child(make_executor, jobs, reports, self.board, allowance, tells_starts))

    @property
    def not_begun(self) -> int:
        """How many of its jobs it cannot have begun, give or take what it has not reported yet."""
        return len(self.assigned) - self.is_ready

    def take_remains(self) -> tuple[list[Parcel], list[int]]:
        """Of a dead child: the jobs that it never began, and the numbers of those that it began and did not report.

        It received its jobs in order, and wrote down each before it began it.  So one that it had received, but that
        comes after the last one written down, was not begun either.
        """
        never_received = self.take_back(len(self.assigned))
        received = list(self.assigned)
        begun = received.index(self.board.last_begun) + 1 if self.board.last_begun in self.assigned else 0
        never_begun = [self.assigned.pop(number) for number in received[begun:]]
        return never_begun + never_received, received[:begun]

    def interrupt(self, number: int) -> None:
        """Raise SoftTimeLimitExceeded in this job, if it still runs when the child gets to hear of it."""
        self.board.interrupt(number)
        process.kill(self.pid, signal.SIGUSR1)

    def close(self) -> None:
        """Close all that this process holds of it; tolerates twice."""
        super().close()
        self.board.close()
