"""Brokers and result stores that go away and come back under load: nothing is lost, and nobody has to help."""

from __future__ import annotations

import time

import pytest
from strained.measure import AWAY, BROKERS, EACH, LIMIT, OWN_BROKERS, TASKS_A_MOMENT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT)]


def assert_all_ran(strain):
    """Every task has one result and succeeded, the early-acked ones having run once."""
    strain.finish()
    strain.assert_late_succeeded()
    assert strain.assert_early_ran_at_most_once() == []
    assert strain.cut_short() == set()


@pytest.mark.parametrize("place", OWN_BROKERS, indirect=True)
def test_a_broker_that_stops_and_starts_is_found_again_by_itself(strain):
    # Given a worker under load
    strain.start_worker()

    # When the broker goes away at random moments, and comes back
    for _ in range(EACH):
        strain.send(TASKS_A_MOMENT)
        strain.random_moment(most=TASKS_A_MOMENT // 2)
        strain.place.broker.stop()
        time.sleep(strain.chance.uniform(0, AWAY))  # a random while is the point
        strain.place.broker.start()

    # Then the same worker has run every task
    strain.send(20)
    assert_all_ran(strain)


@pytest.mark.parametrize("place", BROKERS, indirect=True)
def test_results_wait_for_a_store_that_is_gone(strain):
    # Given a worker under load
    strain.start_worker()

    # When the result store goes away at random moments, and comes back
    for _ in range(EACH):
        strain.send(TASKS_A_MOMENT)
        strain.random_moment(most=TASKS_A_MOMENT // 2)
        strain.place.store.stop()
        time.sleep(AWAY)  # that it is gone for so long is the point
        strain.place.store.start()

    # Then no result is missing, and no task ran twice for want of it
    assert_all_ran(strain)
    assert set(strain.runs("begin").values()) == {1}
