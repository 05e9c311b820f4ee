"""``apply`` and ``task_always_eager``: here and now, as a worker would."""

from __future__ import annotations

import socket
from datetime import datetime

import pytest

from celeriac.exceptions import Ignore, Reject, SecurityError, SerializationError
from celeriac.result import result_from_tuple


@pytest.fixture
def seen():
    return []


@pytest.mark.covers("app.task.Task.apply")
def test_apply_runs_the_task_with_a_request(app):
    @app.task(name="t", bind=True)
    def job(self, x, y=0):
        return dict(vars(self.request))

    result = job.apply((1,), {"y": 2}, task_id="i", retries=3, headers={"a": 1}, routing_key="k", priority=5)
    request = result.get()
    assert result.id == request["id"] == request["root_id"] == "i"
    assert (request["args"], request["kwargs"], request["retries"], request["headers"]) == ((1,), {"y": 2}, 3, {"a": 1})
    assert (request["is_eager"], request["called_directly"], request["task"]) == (True, False, "t")
    assert request["delivery_info"] == {"is_eager": True, "exchange": None, "routing_key": "k", "priority": 5}
    assert request["hostname"] == socket.gethostname()
    assert app.current_task is None


@pytest.mark.parametrize(
    ("error", "state"), [(LookupError("a"), "FAILURE"), (Ignore(), "IGNORED"), (Reject("b"), "REJECTED")]
)
def test_the_state_is_that_which_a_worker_would_have_stored(app, error, state):
    @app.task
    def job():
        raise error

    result = job.apply()
    assert (result.state, result.result, result.ready()) == (state, error, True)
    assert (result.failed(), result.successful()) == (state == "FAILURE", False)


@pytest.mark.covers("app.task.Task.apply")
@pytest.mark.covers("settings.task_eager_propagates")
def test_an_error_is_raised_by_get_or_at_once_if_asked(make_app):
    app = make_app()

    @app.task
    def job():
        raise LookupError("a")

    result = job.apply()
    assert "LookupError: a" in result.traceback
    with pytest.raises(LookupError):
        result.get()
    assert isinstance(result.get(propagate=False), LookupError)
    with pytest.raises(LookupError):
        job.apply(throw=True)
    app.conf.task_eager_propagates = True
    with pytest.raises(LookupError):
        job.apply()
    assert job.apply(throw=False).failed()


def test_retries_run_at_once_and_the_last_result_stands(app, seen):
    @app.task(bind=True, max_retries=3, default_retry_delay=3600)
    def job(self, x):
        seen.append((x, self.request.retries, self.request.id, self.request.parent_id))
        if self.request.retries < 2:
            raise self.retry(args=(x + 1,))
        return "done"

    result = job.apply((1,), task_id="i")
    assert (result.get(), result.id) == ("done", "i")
    assert seen == [(1, 0, "i", None), (2, 1, "i", None), (3, 2, "i", None)]


def test_callbacks_and_errbacks_run_as_well(app, seen):
    @app.task(name="note")
    def note(x):
        seen.append(x)

    @app.task
    def job(x):
        return 1 / x

    job.apply((2,), link=note.s(), link_error=note.s())
    failed = job.apply((0,), link=note.s(), link_error=[note.s()])
    assert seen == [0.5, failed.id]


def test_what_is_called_inside_belongs_to_it(app):
    @app.task(bind=True, name="inner")
    def inner(self):
        return self.request.root_id, self.request.parent_id

    @app.task
    def outer():
        return inner.apply().get()

    result = outer.apply(task_id="i")
    assert result.get() == ("i", "i")


def test_always_eager_runs_what_would_be_sent(make_app, record):
    app = make_app(task_always_eager=True)
    sent = record(app)

    @app.task(name="t", bind=True)
    def job(self, x):
        return self.request.is_eager, x

    for result in (job.delay(1), job.apply_async((1,)), job.s(1).delay(), app.signature("t").apply_async((1,))):
        assert result.get() == (True, 1)
        assert (result.state, result.ready(), result.successful()) == ("SUCCESS", True, True)
    assert job.apply_async((1,), task_id="i").id == "i"
    assert sent == []


def test_always_eager_takes_arguments_across_the_serializer(make_app):
    app = make_app(task_always_eager=True)

    @app.task
    def kinds(*args, **kwargs):
        return [type(value) for value in (args[0], *kwargs.values())], args

    found, (_, moment) = kinds.delay((1, 2), datetime(2031, 1, 1), mapping={1: 2}).get()
    assert found == [list, dict]
    assert moment == datetime(2031, 1, 1)
    with pytest.raises(SerializationError):
        kinds.delay(object())


@pytest.mark.covers("settings.accept_content", "settings.task_always_eager")
def test_always_eager_refuses_content_that_a_worker_would_refuse(make_app):
    app = make_app(task_always_eager=True, accept_content=[])

    @app.task
    def job():
        pass

    with pytest.raises(SecurityError, match="accept_content"):
        job.delay()


@pytest.mark.covers("settings.task_store_eager_result")
def test_results_are_stored_only_where_that_is_asked_for(make_app):
    app = make_app(task_store_eager_result=True)

    @app.task
    def kept(x):
        return 1 / x

    @app.task(store_eager_result=False)
    def not_kept():
        pass

    @app.task(ignore_result=True)
    def ignored():
        pass

    good, bad = kept.apply((2,)), kept.apply((0,))
    assert app.AsyncResult(good.id).get(timeout=1) == 0.5
    assert app.AsyncResult(bad.id).state == "FAILURE"
    assert app.AsyncResult(not_kept.apply().id).state == "PENDING"
    assert app.AsyncResult(ignored.apply().id).state == "PENDING"
    app.conf.task_store_eager_result = False


def test_a_value_that_cannot_be_stored_fails_the_task_as_in_a_worker(make_app):
    app = make_app(task_store_eager_result=True)

    @app.task
    def job():
        return object()

    @app.task(store_eager_result=False)
    def not_kept():
        return object()

    result = job.apply()
    assert result.state == "FAILURE"
    assert isinstance(result.result, SerializationError)
    assert app.AsyncResult(result.id).state == "FAILURE"
    assert not_kept.apply().successful()


def test_a_result_that_a_task_returns_is_kept_as_its_tuple(make_app):
    app = make_app(task_store_eager_result=True)

    @app.task
    def job():
        return app.AsyncResult("another")

    kept = app.AsyncResult(job.apply().id).get(timeout=1)
    assert result_from_tuple(kept, app=app) == app.AsyncResult("another")


def test_without_a_result_store_eager_tasks_run_all_the_same(make_app):
    app = make_app(backend=None, task_always_eager=True)

    @app.task(bind=True)
    def job(self):
        self.update_state(state="HALF", meta=1)
        return 1

    assert job.delay().get() == 1
