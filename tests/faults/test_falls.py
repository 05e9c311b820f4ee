"""A task that ends its own process: what becomes of it, and of those beside it."""

from __future__ import annotations

import pytest

from celeriac.exceptions import WorkerLostError


@pytest.fixture
def falling(strain, wait_until):
    """Return ``falling(name, how)``: send that task among harmless ones to a worker, and return its result."""
    strain.start_worker()
    strain.journal.touch()

    def send(name, how):
        strain.send(20, longest=0.001)
        task = strain.app.send_task(f"journaled.{name}", [how], link_error=strain.app.signature("journaled.tell"))
        strain.send(20, longest=0.001)
        return task

    return send


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "exit"])
@pytest.mark.parametrize("name", ["falls", "falls_late"])
def test_a_task_that_ends_its_process_is_lost_and_known_to_be(strain, falling, wait_until, name, how):
    # When a task ends its process, then whoever waits for it learns that, soon
    task = falling(name, how)
    with pytest.raises(WorkerLostError):
        task.get(timeout=10)

    # And it ran once, its errback was called, and all others ran to their end. (Those that had ended just before it
    # in the same process may be told of as lost with it: their results had not left that process.)
    wait_until(lambda: strain.runs("errback")[task.id] == 1, message="its errback was called")
    assert strain.runs("begin")[task.id] == 1
    strain.wait_for_results()
    strain.assert_late_succeeded()
    lost = strain.assert_early_ran_at_most_once()
    assert set(lost) <= set(strain.early) - strain.cut_short()
    assert {strain.runs("end")[task_id] for task_id in strain.early} == {1}


def test_a_late_acked_task_that_wants_it_is_run_again(strain, falling):
    # When a task ends its process the first time, then the second time counts
    task = falling("falls_once", "SIGKILL")
    assert task.get(timeout=10) == task.id
    assert (strain.runs("begin")[task.id], strain.runs("end")[task.id]) == (2, 1)
    assert strain.runs("errback")[task.id] == 0


def test_a_task_that_ends_its_process_each_time_is_not_run_for_ever(strain, falling):
    # When a task that would be delivered again kills its process whenever it runs
    task = falling("falls_always", "SIGKILL")

    # Then it fails for good, says why, and has killed no more than it may
    with pytest.raises(WorkerLostError, match="died 3 times"):
        task.get(timeout=20)
    assert strain.runs("begin")[task.id] == 3
    strain.wait_for_results()
    strain.assert_late_succeeded()
