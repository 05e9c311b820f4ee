"""A task that runs or waits for longer than its claim lasts is run once, on every pool."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
@pytest.mark.parametrize("place", ["sqlite", "redis"], indirect=True)
def test_a_task_longer_than_the_visibility_timeout_is_not_run_twice(strain, pool):
    # Given two workers whose claims last two seconds, each with more tasks than it runs at once
    strain.pool, strain.concurrency = pool, 1
    strain.settings.update(sqlite_lease=2.0, redis_lease=2.0, broker_transport_options={"visibility_timeout": 2})
    strain.ready_worker()
    strain.ready_worker()

    # When tasks run for longer than that, others wait behind them, and one waits for its time
    strain.send_late(3)
    strain.send_early(3)
    for options in ({}, {"countdown": 3}):
        strain.send_late(0, **options)
        strain.send_early(0, **options)
    for worker in strain.spawn.started:
        assert worker.poll() is None
    strain.wait_for_results()

    # Then each has run once, nobody was taken for dead, and nothing comes again
    for worker in strain.workers[:-1]:
        worker.signal(15)
        assert worker.wait() == 0
    strain.finish()
    strain.assert_late_succeeded()
    assert strain.assert_early_ran_at_most_once() == []
    assert set(strain.runs("begin").values()) == {1}
    assert [worker.pid for worker in strain.workers if "has died" in worker.output()] == []
