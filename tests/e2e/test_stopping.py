"""How a worker ends: what runs is finished, the rest goes back; asked twice, it stops at once."""

from __future__ import annotations

import signal

import pytest

from celeriac.exceptions import WorkerLostError


@pytest.fixture
def busy(everyday, start_worker, tmp_path, wait_until):
    """A worker both of whose processes run a task, with more tasks waiting; and the way to let those two end."""
    worker = start_worker("-c", "2")
    end = tmp_path / "end"
    begun = [tmp_path / f"begun-{number}" for number in (1, 2)]
    running = [everyday.wait_for.delay(str(end), str(path)) for path in begun]
    wait_until(lambda: all(path.exists() for path in begun), message="both tasks have begun")
    waiting = [everyday.add.delay(number, 1) for number in range(20)]
    return worker, end, running, waiting


def test_sigterm_finishes_what_runs_and_gives_back_the_rest(busy, start_worker):
    # Given a worker that runs two tasks and holds more
    worker, end, running, waiting = busy

    # When it is told to stop, then it waits for the two
    worker.signal(signal.SIGTERM)
    worker.wait_for_output("Warm shutdown")
    end.touch()
    assert worker.wait() == 0
    assert [task.get(timeout=5) for task in running] == ["seen", "seen"]

    # And what it had not begun is left to the next worker
    assert [task.state for task in waiting] == ["PENDING"] * 20
    start_worker()
    assert [task.get(timeout=20) for task in waiting] == list(range(1, 21))


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGTERM, signal.SIGTERM], id="SIGTERM twice"),
        pytest.param([signal.SIGQUIT], id="SIGQUIT"),
        pytest.param([signal.SIGINT, signal.SIGQUIT], id="SIGINT, then SIGQUIT"),
    ],
)
def test_a_cold_stop_ends_at_once_and_says_what_was_lost(busy, start_worker, signals):
    # Given a worker that runs two tasks that do not end
    worker, _, running, waiting = busy

    # When it is told to stop at once, then it does, with its children
    for number in signals[:-1]:
        worker.signal(number)
        worker.wait_for_output("Warm shutdown")
    worker.signal(signals[-1])
    worker.wait(timeout=10)
    assert worker.session_pids() == []

    # And the two, which were acknowledged early, are known to be lost
    for task in running:
        with pytest.raises(WorkerLostError):
            task.get(timeout=10)

    # And the rest is left to the next worker
    start_worker()
    assert [task.get(timeout=20) for task in waiting] == list(range(1, 21))
