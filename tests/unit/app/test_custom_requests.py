"""A task's own `Request` class, and what a task's `Strategy` may be."""

from __future__ import annotations

import pytest

from celeriac.contracts import Delivery
from celeriac.exceptions import ImproperlyConfigured, TaskError
from celeriac.worker.open_jobs import OpenJob
from celeriac.worker.request import Request

TOLD: list[tuple] = []


class Noting(Request):
    def on_success(self, failed__retval__runtime, **kwargs):
        failed, value, runtime = failed__retval__runtime
        TOLD.append(("success", self.task.name, self.argsrepr, failed, value, runtime >= 0))

    def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        TOLD.append(("failure", self.id, type(exc_info.exception), str(exc_info.exception)))

    def on_retry(self, exc_info):
        TOLD.append(("retry", self.id))

    def on_timeout(self, soft, timeout):
        super().on_timeout(soft, timeout)
        TOLD.append(("timeout", soft, timeout))


class Broken(Request):
    def on_success(self, failed__retval__runtime, **kwargs):
        raise RuntimeError("of a request")


@pytest.fixture(autouse=True)
def told():
    TOLD.clear()
    return TOLD


@pytest.fixture
def job(make_app):
    """Return ``job(**options)``: a task of an app on memory, with a Request of its own."""
    app = make_app()

    def define(function, **options):
        return app.task(**{"name": "job", "Request": Noting, **options})(function)

    define.app = app
    return define


@pytest.mark.covers("app.task.Task.Request")
def test_a_request_of_ones_own_is_told_how_each_run_has_ended(job, start_worker, wait_until, told):
    def run(self, x):
        if self.request.retries == 0 and x == 2:
            raise self.retry(countdown=0)
        return 1 / x

    task = job(run, bind=True, Request=f"{__name__}:Noting")
    start_worker(job.app)
    task.delay(1)
    wait_until(lambda: len(told) == 1, timeout=10, message="the success is told")
    bad = task.apply_async((0,))
    wait_until(lambda: len(told) == 2, timeout=10, message="the failure is told")
    again = task.apply_async((2,))
    wait_until(lambda: len(told) == 4, timeout=10, message="the retry is told")
    assert told == [
        ("success", "job", "(1,)", False, "1.0", True),
        ("failure", bad.id, TaskError, "ZeroDivisionError('division by zero')"),
        ("retry", again.id),
        ("success", "job", "(2,)", False, "0.5", True),
    ]


def test_a_soft_time_limit_is_told_before_the_failure(job, start_worker, wait_until, told):
    from celeriac.exceptions import SoftTimeLimitExceeded

    def run():
        raise SoftTimeLimitExceeded(3)

    task = job(run, soft_time_limit=3)
    start_worker(job.app)
    task.delay()
    wait_until(lambda: len(told) == 2, timeout=10, message="limit and failure are told")
    assert told[0] == ("timeout", True, 3)
    assert told[1][0] == "failure"


def test_an_error_of_a_request_is_logged_and_the_result_is_there(job, start_worker, caplog):
    task = job(lambda: 3, Request=Broken)
    start_worker(job.app)
    assert [task.delay().get(timeout=10) for _ in range(2)] == [3, 3]
    assert task.apply_async().get(timeout=10) == 3
    assert any(record.exc_info and "Request of task job" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"Request": int}, "is no subclass of celeriac.worker.request.Request"),
        ({"Request": "no.such:Thing"}, "its Request 'no.such:Thing' cannot be found"),
        ({"Strategy": "celery_batches:Strategy"}, "celeriac_consume_middleware"),
    ],
)
@pytest.mark.covers("app.task.Task.Strategy")
def test_a_worker_does_not_start_with_a_request_or_strategy_that_it_cannot_use(job, options, wrong):
    from celeriac.worker.endings import Endings

    job(lambda: 3, **options)
    with pytest.raises(ImproperlyConfigured) as caught:
        Endings(job.app, loop=None)
    assert "task 'job'" in str(caught.value)
    assert wrong in str(caught.value)


@pytest.mark.covers("app.task.Task.start_strategy")
def test_the_strategy_of_a_task_judges_its_messages(job, claim):
    task = job(lambda: 3)
    task.delay()
    [delivery] = claim(job.app)
    assert isinstance(delivery, Delivery)
    judged = task.start_strategy(job.app, None)(delivery, 1)
    assert isinstance(judged, OpenJob)
    assert (judged.name, judged.number) == ("job", 1)
