"""``async def`` tasks in workers from the command line, on the pools that run one task at a time."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_each_child_runs_all_its_coroutines_on_one_loop(everyday, start_worker, pool):
    # Given a worker with two children, or with the one that solo is
    start_worker("-P", pool, "-c", "2")

    # When more coroutines are sent than there are children
    places = {tuple(everyday.loop.delay().get(timeout=20)) for _ in range(10)}
    places |= {tuple(place) for place in [result.get(timeout=20) for result in [everyday.loop.delay()] * 20]}

    # Then there are as many loops as children have run them
    children = {(pid, thread) for pid, thread, _ in places}
    assert len(places) == len(children) <= (1 if pool == "solo" else 2)


@pytest.mark.covers("app.task.Task.soft_time_limit", "exceptions.SoftTimeLimitExceeded")
def test_a_soft_time_limit_wakes_a_coroutine_that_waits(everyday, start_worker):
    start_worker("-P", "prefork", "-c", "1")

    result = everyday.nap.apply_async((50,), soft_time_limit=1)

    assert result.get(timeout=20) == "woken"
    # And the next one has the loop for itself
    assert everyday.nap.delay(0.01).get(timeout=20) == "slept"
