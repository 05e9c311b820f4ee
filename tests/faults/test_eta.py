"""Tasks that wait for their time: they start when it has come, and what they hold up meanwhile is nobody."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

import pytest
from strained.measure import BROKERS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("place", BROKERS, indirect=True)
def test_tasks_start_when_their_time_has_come(strain):
    # Given an idle worker, when tasks are sent for moments close to each other
    strain.ready_worker()
    first = time.time() + 2
    moments = [first + number * 0.02 for number in range(100)]
    send = strain.app.send_task
    sent = [send("journaled.when", eta=datetime.fromtimestamp(moment, UTC)) for moment in moments]

    # Then none starts early, and each soon. (10 ms is the promise on a machine that does nothing else.)
    late = [result.get(timeout=20) - moment for result, moment in zip(sent, moments, strict=True)]
    assert min(late) >= 0
    assert statistics.median(late) < 0.05
    assert max(late) < 2


@pytest.mark.covers("settings.worker_eta_task_limit")
@pytest.mark.parametrize("place", ["rabbitmq"], indirect=True)
def test_messages_past_the_limit_stay_with_the_broker(strain):
    # Given a worker that may hold five tasks for later, and two for now
    strain.settings.update(worker_eta_task_limit=5, worker_prefetch_multiplier=1)
    strain.ready_worker()

    # When more come
    for _ in range(20):
        strain.send_late(0, countdown=3)

    # Then it holds no more than that
    strain.wait_until(lambda: strain.place.waiting() <= 20 - 7, message="it has taken what it may hold")
    assert strain.place.waiting() >= 20 - 5 - 2
    # And in the end all have run
    strain.finish()
    strain.assert_late_succeeded()


@pytest.mark.covers("settings.worker_prefetch_multiplier")
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("place", BROKERS, indirect=True)
def test_a_worker_takes_other_work_while_more_tasks_wait_for_their_time_than_it_prefetches(strain, strict):
    # Given a worker that prefetches two messages, and fifty that are for later
    strain.settings.update(worker_prefetch_multiplier=1, worker_disable_prefetch=strict)
    strain.ready_worker()
    for _ in range(25):
        strain.send_late(0, countdown=5)
        strain.send_early(0, countdown=5)

    # When others come, then they run first
    sent = time.time()
    began = [strain.app.send_task("journaled.when") for _ in range(50)]
    for result in began:
        assert result.get(timeout=5) - sent < 5
    assert strain.begun() == 0
    strain.finish()
    strain.assert_late_succeeded()
    assert strain.assert_early_ran_at_most_once() == []
