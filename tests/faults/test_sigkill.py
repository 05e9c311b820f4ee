"""SIGKILL at random moments under load, on every broker: late acks lose nothing, early acks run nothing twice."""

from __future__ import annotations

import pytest
from strained.deaths import kill_a_child, kill_all, kill_the_worker
from strained.measure import BROKERS, EACH, KOMBUS_TOO, LIMIT, LONGEST, TASKS_A_MOMENT


@pytest.mark.slow
@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("place", KOMBUS_TOO, indirect=True)
@pytest.mark.parametrize("kill", [kill_a_child, kill_the_worker, kill_all])
def test_tasks_outlive_sigkill(strain, kill):
    # Given a worker under load
    strain.start_worker()

    # When processes are killed at random moments
    for _ in range(EACH):
        strain.send(TASKS_A_MOMENT - 20, longest=LONGEST)
        strain.random_moment(most=TASKS_A_MOMENT * 3 // 5)
        strain.send(20, longest=LONGEST)
        # The worker may have run all of them by now, and then more are sent.
        strain.wait_until(lambda: strain.cut_short() or strain.send(5, longest=LONGEST), message="a task runs")
        kill(strain)
    if not strain.cut_short():
        # By chance each found an idle process.
        until = [strain.hold("late"), strain.hold("early")]
        strain.wait_until(strain.cut_short, message="they run")
        kill(strain)
        for each in until:
            each.touch()
    strain.send(20)

    # Then every task has one recorded result, every late-acked one is a success,
    strain.finish()
    strain.assert_late_succeeded()
    strain.assert_nothing_was_raised()

    # and the early-acked ones ran at most once; those that died running are known to be lost
    lost = strain.assert_early_ran_at_most_once()
    cut_short = strain.cut_short()
    assert set(strain.early) & cut_short <= set(lost)
    assert cut_short, "no signal hit a task: this run has shown nothing"


@pytest.mark.slow
@pytest.mark.parametrize("place", BROKERS, indirect=True)
def test_the_other_of_two_workers_takes_over_from_one_that_was_killed(strain):
    # Given two workers under load
    strain.start_worker()
    victim = strain.worker
    strain.start_worker()
    strain.send(300)
    strain.random_moment(most=100)

    # When one of them is killed and nobody starts another
    victim.kill()

    # Then the other accounts for all its tasks
    strain.finish()
    strain.assert_late_succeeded()
    strain.assert_nothing_was_raised()
    assert set(strain.early) & strain.cut_short() <= set(strain.assert_early_ran_at_most_once())
