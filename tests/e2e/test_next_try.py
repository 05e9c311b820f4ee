"""``retry_on_worker_lost``: a task whose process dies is tried again, as often as it may be."""

from __future__ import annotations

import pytest

from celeriac.exceptions import WorkerLostError


@pytest.mark.covers("app.task.Task.retry_on_worker_lost", "settings.task_retry_on_worker_lost")
@pytest.mark.parametrize("late", [False, True])
def test_a_task_that_kills_its_process_is_tried_again_until_it_does_not(everyday, start_worker, late):
    # Given a worker whose tasks are acked early, or late
    worker = start_worker("-P", "prefork", "-c", "1", env={"DEADLY_LATE": "1" if late else ""})

    # When a task kills its process twice, then its third try is its result
    assert everyday.deadly.delay(2).get(timeout=30) == 2
    assert worker.output().count("is tried again in 0 s, because its process has died") == 2


def test_when_its_retries_are_used_up_it_is_lost(everyday, start_worker):
    start_worker("-P", "prefork", "-c", "1")

    result = everyday.deadly.delay(3)

    with pytest.raises(WorkerLostError):
        result.get(timeout=30)
    # And the worker goes on
    assert everyday.add.delay(1, 2).get(timeout=20) == 3
