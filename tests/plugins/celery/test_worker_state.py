"""``celery.worker.state``: what the worker has, and the switches that stop it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from celery.contrib.testing.app import TestApp
from celery.contrib.testing.worker import start_worker
from celery.exceptions import TaskRevokedError
from celery.worker import state


@pytest.fixture
def app():
    with TestApp("proj", set_as_current=True) as app:
        yield app


def test_it_shows_what_runs_and_what_waits(app, wait_until):
    begun, goes_on = threading.Event(), threading.Event()

    @app.task(name="proj.long")
    def long():
        begun.set()
        goes_on.wait(20)

    quick = app.task(name="proj.quick")(lambda: 1)
    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False):
        running, later = long.delay(), quick.apply_async(countdown=3600)
        assert begun.wait(10)
        wait_until(lambda: {each.id for each in state.active_requests} == {running.id})
        # A broker that can hold a message back does so.
        assert {each.id for each in state.scheduled_requests} <= {later.id}
        assert state.requests[running.id].name == "proj.long"
        goes_on.set()
        wait_until(lambda: state.total_count["proj.long"] == 1)
        assert not state.active_requests


def test_what_is_added_to_the_revoked_does_not_run(app):
    never = app.task(name="proj.never")(lambda: 1)
    with start_worker(app, perform_ping_check=False):
        state.revoked.add("an-id")
        assert "an-id" in state.revoked
        result = never.apply_async(task_id="an-id")
        with pytest.raises(TaskRevokedError):
            result.get(timeout=10)
        state.revoked.discard("an-id")
        assert "an-id" not in state.revoked


PROJECT = """
from celery import Celery
from celery.worker import state

app = Celery("proj", broker={url!r})

@app.task
def stop():
    state.{switch} = {code}

@app.on_after_finalize.connect
def send(sender, **_):
    stop.delay()
"""


@pytest.mark.parametrize(("switch", "code", "told"), [("should_stop", 3, "Warm"), ("should_terminate", 4, "Cold")])
def test_a_switch_ends_the_worker(spawn, tmp_path, switch, code, told):
    (tmp_path / "proj.py").write_text(
        PROJECT.format(url=f"sqlite:///{tmp_path / 'queue.db'}", switch=switch, code=code)
    )
    worker = spawn(
        Path(sys.executable).with_name("celery"), "-A", "proj", "worker", "-P", "solo", "-l", "INFO", cwd=tmp_path
    )
    worker.wait_for_output(f"{told} shutdown")
    assert worker.wait(20) == code
