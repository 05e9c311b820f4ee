"""How much a child may do before it is replaced."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a child may do before it is replaced; None is without end."""

    tasks: int | None = None
    #: Resident memory at its highest, in KiB.
    memory: int | None = None

    def is_used_up(self, tasks: int) -> bool:
        """True where a child that has run `tasks` jobs is to be replaced."""
        if self.tasks is not None and tasks >= self.tasks:
            return True
        return self.memory is not None and peak_memory() > self.memory

    def spent(self, tasks: int) -> str:
        """What a child that has run `tasks` jobs has used up, for people."""
        if self.tasks is not None and tasks >= self.tasks:
            return f"it has run {tasks} tasks (max_tasks_per_child)"
        return f"it has had {peak_memory()} KiB, more than {self.memory} (max_memory_per_child), after {tasks} tasks"


def peak_memory() -> int:
    """The most resident memory that this process ever had, in KiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak
