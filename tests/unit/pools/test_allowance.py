"""How much a child may do."""

from __future__ import annotations

from celeriac.pools.allowance import Allowance, peak_memory


def test_what_is_used_up_is_told():
    assert Allowance(tasks=3).spent(3) == "it has run 3 tasks (max_tasks_per_child)"
    told = Allowance(memory=1).spent(7)
    assert told == f"it has had {peak_memory()} KiB, more than 1 (max_memory_per_child), after 7 tasks"
