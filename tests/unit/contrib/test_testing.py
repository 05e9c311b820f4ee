"""The helpers of ``celery.contrib.testing``, under the same names here."""

from __future__ import annotations

import json

import pytest

from celeriac import current_app, signature
from celeriac.app import current
from celeriac.contrib.testing import manager, mocks
from celeriac.contrib.testing import worker as workers
from celeriac.contrib.testing.app import TestApp, Trap, UnitLogging, setup_default_app
from celeriac.contrib.testing.tasks import ping
from celeriac.exceptions import TimeoutError


@pytest.fixture
def app():
    with TestApp("proj") as app:
        yield app


def test_two_apps_share_nothing(app):
    with TestApp() as other:
        assert app.conf.broker_url != other.conf.broker_url
        assert app.conf.result_backend != other.conf.result_backend
        assert isinstance(app.log, UnitLogging)
        assert app.log.setup() is True
        assert list(app.conf.accept_content) == ["json"]


def test_an_app_takes_its_own_configuration():
    with TestApp(config={"broker_url": "memory://mine", "task_always_eager": True}, enable_logging=True) as app:
        assert app.conf.broker_url == "memory://mine"
        assert app.conf.task_always_eager
        assert not isinstance(app.log, UnitLogging)


def test_the_current_app_is_put_back(app):
    before = current.both_apps()
    with setup_default_app(app):
        assert current.get_current_app() is app
    assert current.both_apps() == before


def test_a_trap_tells_who_uses_the_current_app(app):
    with setup_default_app(app, use_trap=True):
        assert isinstance(current.get_current_app(), Trap)
        with pytest.raises(RuntimeError, match="depends_on_current_app"):
            current_app.send_task("any")


def test_a_worker_answers_a_ping_first_and_tells_of_itself(app):
    told = []
    for signal in (workers.test_worker_starting, workers.test_worker_started, workers.test_worker_stopped):
        signal.connect(lambda sender, signal=signal, **_: told.append(signal.name), weak=False, dispatch_uid="test")
    try:
        with workers.start_worker(app) as worker:
            assert isinstance(worker, workers.TestWorkController)
            worker.ensure_started()
            assert ping.delay().get(timeout=10) == "pong"
            assert told == ["test_worker_starting", "test_worker_started"]
    finally:
        for signal in (workers.test_worker_starting, workers.test_worker_started, workers.test_worker_stopped):
            signal.disconnect(dispatch_uid="test")
    assert told[-1] == "test_worker_stopped"


def test_a_manager_waits_for_what_workers_do(app):
    @app.task
    def add(x, y):
        return x + y

    class Quick(manager.Manager):
        def inspect(self, timeout=3.0):
            return self.app.control.inspect(timeout=timeout, limit=1)  # there is one worker: its answer is all

    asked = Quick(app)
    with workers.start_worker(app, pool="threads"):
        results = app.ResultSet([add.delay(1, 1), add.delay(2, 2)])
        assert sorted(asked.join(results)) == [2, 4]
        assert asked.missing_results(results) == []
        asked.assert_result_tasks_in_progress_or_completed(results)
        asked.wait_until_idle()
        assert not asked.is_received([results[0].id])
        asked.ensure_not_for_a_while(
            lambda: asked.true_or_raise(asked.is_accepted, [results[0].id]),
            manager.Sentinel,
            max_retries=1,
            interval_start=0.001,
        )


def test_a_manager_asks_again_and_gives_up(app):
    asked = manager.Manager(app)
    tries = []

    def fail():
        tries.append(1)
        raise TimeoutError("not yet")

    with pytest.raises(TimeoutError):
        asked.wait_for(fail, (TimeoutError,), max_retries=2, interval_start=0.001, interval_step=0.001)
    assert len(tries) == 3


def test_messages_are_made_as_a_consumer_gets_them(app):
    message = mocks.TaskMessage("proj.add", id="1", args=(2,), kwargs={"y": 3}, utc=True)
    assert (message.headers["task"], message.headers["id"]) == ("proj.add", "1")
    assert json.loads(message.body)[:2] == [[2], {"y": 3}]
    old = mocks.TaskMessage1("proj.add", args=(2,))
    assert old.headers == {}
    assert json.loads(old.body)["task"] == "proj.add"
    sig = signature("proj.add", (1, 2), app=app)
    made = mocks.task_message_from_sig(app, sig)
    assert made.headers["id"] == sig.id
    with mocks.ContextMock() as inside:
        inside.method()
    inside.method.assert_called_once_with()
