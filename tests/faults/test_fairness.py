"""Long tasks hold up nobody: not in a busy child, and not in a worker that has messages to spare."""

from __future__ import annotations

import statistics
import time

import pytest
from strained.measure import BROKERS, LIMIT, LONG_SECONDS

pytestmark = pytest.mark.slow


def delays(app, seconds=0.0):
    """Seconds between sending a task and its beginning, one by one, for so long and at least thirty times."""
    waits, monotonic_end = [], time.monotonic() + seconds
    while len(waits) < 30 or time.monotonic() < monotonic_end:
        sent = time.time()
        waits.append(app.send_task("journaled.when").get(timeout=5) - sent)
    return waits


def told(waits):
    p50, p99, most = (sorted(waits)[int((len(waits) - 1) * part)] * 1e3 for part in (0.5, 0.99, 1))
    return f"p50 {p50:.1f}, p99 {p99:.1f}, most {most:.1f} ms of {len(waits):,}"


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("place", BROKERS, indirect=True)
def test_a_long_task_delays_no_other_while_another_child_is_idle(strain):
    # Given a worker that may hold a hundred messages, and has a long task in one of its two children
    strain.settings["worker_prefetch_multiplier"] = 50
    strain.ready_worker()
    alone = delays(strain.app, LONG_SECONDS / 2)
    until = strain.hold()
    strain.wait_until(lambda: strain.begun() == 1, message="the long task runs")

    # When others are sent, one by one
    beside = delays(strain.app, LONG_SECONDS)
    print(f"delay without a long task: {told(alone)}; beside one: {told(beside)}")

    # Then none waits for the long one. (50 ms is the promise on a machine that does nothing else.)
    assert strain.runs("end") == {}
    assert statistics.median(beside) < max(0.05, 2 * statistics.median(alone))
    assert max(beside) < 2

    # And not when they come all at once
    burst = [strain.app.send_task("journaled.when") for _ in range(60)]
    for result in burst:
        result.get(timeout=5)
    assert strain.runs("end") == {}
    until.touch()
    strain.finish()


@pytest.mark.covers("settings.worker_disable_prefetch")
@pytest.mark.parametrize("kind", ["late", "early"])
@pytest.mark.parametrize("place", BROKERS, indirect=True)
def test_a_worker_without_prefetch_claims_nothing_while_its_children_are_busy(strain, kind):
    # Given a worker without prefetch whose two children are busy
    strain.settings["worker_disable_prefetch"] = True
    send = strain.send_late if kind == "late" else strain.send_early
    busy = strain.ready_worker()
    until = [strain.hold(kind) for _ in range(2)]
    strain.wait_until(lambda: strain.begun() == 2, message="both are busy")

    # When more is sent
    for _ in range(5):
        send(0)

    # Then that stays with the broker
    watched = time.monotonic() + 1
    while time.monotonic() < watched:
        assert strain.place.waiting() == 5

    # And another worker gets it at once
    strain.ready_worker()
    strain.wait_until(lambda: sum(strain.runs("end").values()) == 5, message="the other has run them all")
    assert strain.begun() == 7

    # And the first one goes on claiming when it has room
    for each in until:
        each.touch()
    strain.worker.signal(15)
    assert strain.worker.wait() == 0
    strain.worker = busy
    for _ in range(6):
        send(0.01)
    strain.finish()
    assert set(strain.runs("begin").values()) == {1}
