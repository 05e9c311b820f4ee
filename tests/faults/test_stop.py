"""A worker that is told to stop under load loses nothing: not when it may finish, nor when it must stop cold."""

from __future__ import annotations

import signal

import pytest
from strained.measure import BROKERS, EACH, KOMBUS_TOO, LIMIT, TASKS_A_MOMENT


def stop_warm(strain):
    strain.worker.signal(signal.SIGTERM)
    assert strain.worker.wait() == 0


def stop_cold(strain):
    strain.worker.signal(signal.SIGQUIT)
    strain.worker.wait()


def stop_warm_then_cold(strain):
    strain.worker.signal(signal.SIGTERM)
    strain.wait_until(lambda: "Warm shutdown" in strain.worker.output() or strain.worker.poll() is not None)
    strain.worker.signal(signal.SIGTERM)
    strain.worker.wait()


@pytest.mark.slow
@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize(
    ("pool", "place"),
    [*(("prefork", broker) for broker in KOMBUS_TOO), ("threads", "sqlite"), ("solo", "sqlite")],
    indirect=["place"],
)
def test_sigterm_under_load_loses_nothing_and_runs_nothing_twice(strain, pool):
    # Given a worker under load
    strain.pool = pool
    strain.start_worker()

    # When one worker after the other is told to stop, at random moments
    for _ in range(EACH):
        strain.send(TASKS_A_MOMENT)
        strain.random_moment(most=TASKS_A_MOMENT // 2)
        stop_warm(strain)

        # Then each leaves no process behind and no task that has begun and not ended
        assert strain.worker.session_pids() == []
        assert strain.cut_short() == set()
        strain.start_worker()

    # And in the end every task has run exactly once, and succeeded
    strain.finish()
    strain.assert_late_succeeded()
    strain.assert_nothing_was_raised()
    assert strain.assert_early_ran_at_most_once() == []
    assert set(strain.runs("begin").values()) == {1}


@pytest.mark.slow
@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("place", BROKERS, indirect=True)
@pytest.mark.parametrize("stop", [stop_cold, stop_warm_then_cold])
def test_a_cold_stop_under_load_leaves_no_task_in_a_state_between(strain, stop):
    # Given a worker under load
    strain.start_worker()

    # When one worker after the other is told to stop at once, at random moments
    for _ in range(EACH):
        strain.send(TASKS_A_MOMENT)
        strain.random_moment(most=TASKS_A_MOMENT // 2)
        stop(strain)
        assert strain.worker.session_pids() == []
        strain.start_worker()

    # Then every late-acked task succeeds, and an early-acked one that was cut short is known to be lost
    strain.finish()
    strain.assert_late_succeeded()
    strain.assert_nothing_was_raised()
    lost = strain.assert_early_ran_at_most_once()
    assert set(strain.early) & strain.cut_short() <= set(lost)
