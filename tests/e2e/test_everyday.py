"""What people do with a task queue every day, through a real worker on the embedded queue."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from celeriac import Celery, group
from celeriac.exceptions import TaskRevokedError, TimeoutError


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_a_worker_runs_tasks_with_each_pool(everyday, start_worker, pool):
    # Given a worker with that pool
    worker = start_worker("-P", pool, "-c", "2")

    # When many tasks are sent, then all come back
    results = [everyday.add.delay(number, 1) for number in range(100)]
    assert [result.get(timeout=20) for result in results] == list(range(1, 101))

    # And they ran where that pool runs tasks
    pid, thread = everyday.where.delay().get(timeout=10)
    assert (pid == worker.pid, thread == "MainThread") == {
        "solo": (True, True),
        "threads": (True, False),
        "prefork": (False, True),
    }[pool]


def test_prefork_is_the_pool_where_nobody_names_one(everyday, start_worker):
    worker = start_worker()
    pid, _ = everyday.where.delay().get(timeout=10)
    assert pid != worker.pid
    assert "prefork" in worker.output()


def test_an_exception_crosses_with_type_message_and_traceback(everyday, start_worker):
    # Given a task that raises an error of the project's own
    start_worker()
    failed = everyday.order.delay("beer")

    # When its result is asked for, then that very error is raised
    with pytest.raises(everyday.OutOfStock, match="no beer left") as caught:
        failed.get(timeout=10)
    assert caught.value.args == ("no beer left", "beer")

    # And the worker's traceback is known
    assert 'raise OutOfStock(f"no {item} left", item)' in failed.traceback
    assert failed.state == "FAILURE"
    assert isinstance(failed.get(propagate=False), everyday.OutOfStock)


def test_an_error_of_a_type_that_is_not_known_here_keeps_its_name(everyday, start_worker, monkeypatch):
    # Given a program that has no module `everyday` and calls a task by name
    start_worker()
    monkeypatch.delitem(__import__("sys").modules, "everyday")
    with Celery("everyday") as elsewhere:
        failed = elsewhere.send_task("everyday.order", ["beer"])

        # When it asks for the result, then it learns the name of the error
        error = failed.get(timeout=10, propagate=False)
    assert type(error).__name__ == "OutOfStock"
    assert "no beer left" in str(error)


def test_a_task_can_be_sent_by_name(everyday, start_worker):
    start_worker()
    with Celery("everyday") as elsewhere:
        assert elsewhere.send_task("everyday.add", (2, 3)).get(timeout=10) == 5


def test_a_retried_task_runs_until_it_is_lucky(everyday, start_worker):
    start_worker()
    result = everyday.third_time_lucky.delay()
    assert result.get(timeout=20) == [2, None]
    assert result.state == "SUCCESS"


def test_a_retry_keeps_the_headers_that_the_caller_gave(everyday, start_worker):
    start_worker()
    result = everyday.third_time_lucky.apply_async(headers={"tenant": "north"}, kwargs={"header": "tenant"})
    assert result.get(timeout=20) == [2, "north"]


def test_a_task_out_of_retries_fails_with_its_own_error(everyday, start_worker):
    start_worker()
    result = everyday.never_lucky.delay()
    with pytest.raises(everyday.OutOfStock, match="never"):
        result.get(timeout=20)


def test_a_retry_that_overtakes_the_first_try_has_the_last_word(everyday, start_worker, wait_until):
    # Given a task whose second try, in another process, has failed before the first one has ended
    worker = start_worker("-c", "2")
    result = everyday.overtaken.delay()
    with pytest.raises(everyday.OutOfStock):
        result.get(timeout=10)
    assert "ended: retry" not in worker.output()

    # When the first one has ended too, then the failure stands
    worker.wait_for_output("ended: retry")
    assert everyday.app.AsyncResult(result.id).state == "FAILURE"


def test_a_countdown_is_never_early_and_hardly_late(everyday, start_worker):
    # Given an idle worker
    start_worker()

    # When tasks are sent with a countdown, an ETA, and neither
    due = time.time() + 1
    counted = everyday.clock.apply_async(countdown=1)
    timed = everyday.clock.apply_async(eta=datetime.now(UTC) + timedelta(seconds=1))
    at_once = everyday.clock.delay()

    # Then those with one do not hold up the other, and run when they are due
    assert at_once.get(timeout=10) < due
    for result in (counted, timed):
        ran = result.get(timeout=10)
        assert ran >= due
        assert ran - due < 0.75, "late by more than a machine under load explains"


@pytest.mark.covers("app.task.Task.expires")
def test_an_expired_task_never_runs(everyday, start_worker, tmp_path):
    # Given a task that expired before any worker came
    trace = tmp_path / "trace"
    expired = everyday.remember.apply_async(("ran", str(trace)), expires=0.05)
    in_time = everyday.add.apply_async((1, 1), expires=60)
    time.sleep(0.1)  # nothing happens that could be waited for: the task is to be too old

    # When a worker comes, then it says so instead of running it
    start_worker()
    assert in_time.get(timeout=10) == 2
    with pytest.raises(TaskRevokedError, match="expired"):
        expired.get(timeout=10)
    assert expired.state == "REVOKED"
    assert not trace.exists()


def test_a_group_returns_its_results_in_order(everyday, start_worker):
    start_worker()
    assert group(everyday.add.s(number, number) for number in range(50))().get(timeout=20) == list(range(0, 100, 2))


def test_callbacks_errbacks_and_the_rest_of_a_chain_are_called(everyday, start_worker, tmp_path, wait_until):
    # Given a worker, and tasks that carry what is to follow
    start_worker()
    called, failed = tmp_path / "called", tmp_path / "failed"

    # When one succeeds, then its callback gets its value
    everyday.add.apply_async((2, 3), link=everyday.remember.s(str(called)))
    assert wait_until(lambda: called.exists() and called.read_text()) == "5"

    # When one fails, then its errback gets its id
    task = everyday.order.apply_async(("beer",), link_error=everyday.remember.s(str(failed)))
    assert wait_until(lambda: failed.exists() and failed.read_text()) == task.id

    # When a message carries a chain, last first as on the wire, then each step gets the value of the one before
    last = everyday.remember.s(str(tmp_path / "last"))
    everyday.add.apply_async((1, 2), chain=[last, everyday.add.s(10)])
    assert wait_until(lambda: (tmp_path / "last").exists() and (tmp_path / "last").read_text()) == "13"


def test_a_result_that_never_comes_is_a_timeout_that_says_what_to_look_for(everyday):
    with pytest.raises(TimeoutError, match="is a worker running that listens to the task's queue"):
        everyday.add.delay(1, 1).get(timeout=0.1)


def test_broker_and_workers_of_one_process_need_nothing_outside_it(everyday, monkeypatch):
    # Given the memory broker, and a worker with threads in a thread of this process
    import threading

    everyday.app.conf.update(broker_url="memory://", result_backend="memory://")
    ready = threading.Event()
    worker = everyday.app.Worker(pool="threads", concurrency=2, ready_callback=lambda _: ready.set())
    thread = threading.Thread(target=worker.start)
    thread.start()
    assert ready.wait(10)

    # When tasks are sent, then they come back
    try:
        assert [everyday.add.delay(number, 1).get(timeout=10) for number in range(20)] == list(range(1, 21))
    finally:
        worker.stop()
        thread.join(timeout=20)
    assert not thread.is_alive()
