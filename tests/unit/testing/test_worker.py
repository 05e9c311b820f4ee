"""A worker in the test's own process: ready when its block begins, gone after it."""

from __future__ import annotations

import threading
import uuid

import pytest

from celeriac.app.base import Celery
from celeriac.exceptions import PluginNotFound
from celeriac.testing import start_worker


@pytest.fixture
def app():
    url = f"memory://{uuid.uuid4()}"
    with Celery("proj", broker=url, backend=url, set_as_current=False) as app:
        yield app


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_tasks_run_while_the_block_lasts_and_not_after_it(app, pool):
    @app.task
    def where():
        return threading.current_thread().name

    with start_worker(app, pool=pool, perform_ping_check=True) as worker:
        assert "celeriac" in where.delay().get(timeout=10)
        assert not worker.is_stopping()
    late = where.delay()
    assert late.state == "PENDING"
    assert [thread for thread in threading.enumerate() if thread.name == "celeriac-test-worker"] == []


def test_what_the_worker_raises_at_its_start_is_raised(app):
    with pytest.raises(PluginNotFound, match="nowhere"), start_worker(app, pool="nowhere"):
        pytest.fail("the block must not begin")


def test_what_the_block_raises_is_raised_when_the_worker_has_ended(app):
    with pytest.raises(ValueError, match="of the test"), start_worker(app):
        raise ValueError("of the test")
    assert [thread for thread in threading.enumerate() if thread.name == "celeriac-test-worker"] == []


def test_a_task_that_does_not_end_in_time_is_told_of(app):
    begun, gate = threading.Event(), threading.Event()

    @app.task
    def wait():
        begun.set()
        gate.wait(20)

    def stop_too_soon():
        with start_worker(app, shutdown_timeout=0.1):
            wait.delay()
            assert begun.wait(10)

    with pytest.raises(TimeoutError, match="a task of it still runs"):
        stop_too_soon()
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "celeriac-test-worker":
            thread.join(10)
