"""SIGKILL at random moments under load on the embedded queue: late acks lose nothing, early acks run nothing twice."""

from __future__ import annotations

import os
import signal

import pytest


def kill_a_child(strain):
    """The worker lives on and replaces it."""
    strain.wait_until(strain.children, message="the worker has children")
    os.kill(strain.chance.choice(strain.children()), signal.SIGKILL)


def kill_the_worker(strain):
    """Its children learn of it from the kernel."""
    strain.worker.signal(signal.SIGKILL)
    strain.worker.wait()
    strain.start_worker()


def kill_all(strain):
    strain.worker.kill()
    strain.start_worker()


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("kill", "moments"),
    [
        pytest.param(kill_a_child, 8, id="a child, 8 times"),
        pytest.param(kill_the_worker, 6, id="the worker, 6 times"),
        pytest.param(kill_all, 6, id="the worker and its children, 6 times"),
    ],
)
def test_tasks_outlive_sigkill_of(strain, kill, moments):
    # Given a worker under load
    strain.start_worker()

    # When processes are killed at random moments
    for _ in range(moments):
        strain.send(100)
        strain.random_moment(most=60)
        kill(strain)
    strain.send(20)

    # Then every task has one recorded result, every late-acked one is a success,
    strain.finish()
    strain.assert_late_succeeded()

    # and the early-acked ones ran at most once; those that died running are known to be lost
    lost = strain.assert_early_ran_at_most_once()
    cut_short = strain.cut_short()
    assert set(strain.early) & cut_short <= set(lost)
    assert cut_short, "no signal hit a task: this run has shown nothing"


@pytest.mark.slow
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
    assert set(strain.early) & strain.cut_short() <= set(strain.assert_early_ran_at_most_once())
