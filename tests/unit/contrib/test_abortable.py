"""Tasks that can be asked to stop: in this process, and in workers of their own on each kind of store."""

from __future__ import annotations

import sys
import textwrap
import threading
from uuid import uuid4

import pytest
import redis

from celeriac.contrib.abortable import ABORTED, AbortableAsyncResult, AbortableTask
from celeriac.results.async_result import AsyncResult

PROGRAM = """
import os
import time
from pathlib import Path

from celeriac import Celery
from celeriac.contrib.abortable import AbortableTask

app = Celery(
    "abortable", broker=os.environ["STORE"], backend=os.environ["STORE"], task_default_queue=os.environ["QUEUE"]
)

@app.task(bind=True, base=AbortableTask, name="work")
def work(self, marker):
    Path(marker).touch()
    ends = time.monotonic() + 50
    while not self.is_aborted():
        if time.monotonic() > ends:
            return "was never told"
        time.sleep(0.01)
    return "stopped"
"""


def test_a_running_task_learns_that_it_is_to_stop(app, start_worker):
    begun = threading.Event()

    @app.task(bind=True, base=AbortableTask)
    def work(self):
        begun.set()
        waiting = threading.Event()
        while not self.is_aborted():
            if waiting.wait(0.01):
                return "never"
        return "stopped"

    start_worker(app)
    result = work.delay()
    assert isinstance(result, AbortableAsyncResult)
    assert begun.wait(10)
    assert not result.is_aborted()
    result.abort()
    assert result.get(timeout=10) == "stopped"
    # One that has ended is left as it is
    result.abort()
    assert (app.AsyncResult(result.id).state, result.is_aborted()) == ("SUCCESS", False)


def test_a_task_that_waits_may_be_asked_to_stop_before_it_starts(app, start_worker):
    @app.task(bind=True, base=AbortableTask)
    def work(self):
        return self.is_aborted()

    result = work.delay()
    result.abort()
    assert (result.state, result.is_aborted(), result.ready()) == (ABORTED, True, False)
    start_worker(app)
    assert result.get(timeout=10) is True


def test_results_of_such_a_task_are_abortable_however_it_is_called(app):
    @app.task(base=AbortableTask)
    def work():
        pass

    @app.task
    def other():
        pass

    made = [work.delay(), work.apply_async(), work.s().delay(), (other.s() | work.si()).delay(), work.AsyncResult("i")]
    assert [type(result) for result in made] == [AbortableAsyncResult] * 5
    assert isinstance(other.delay(), AsyncResult)
    assert not isinstance(other.delay(), AbortableAsyncResult)
    assert work.AsyncResult("i").task_name == work.name


def test_whether_it_is_to_stop_can_be_asked_of_another_and_not_outside_of_a_run(app):
    @app.task(base=AbortableTask)
    def work():
        pass

    result = work.delay()
    result.abort()
    assert work.is_aborted(task_id=result.id)
    assert not work.is_aborted(task_id="other")
    with pytest.raises(ValueError, match="needs a task_id"):
        work.is_aborted()


@pytest.fixture
def queue():
    return f"abortable-{uuid4().hex}"


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path, queue):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/queue.db"
        return
    found = request.getfixturevalue("redis_url")
    yield found
    with redis.Redis.from_url(found) as client:
        client.delete(*client.keys(f"*{queue}*"))


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_it_is_told_in_a_worker_of_its_own(url, queue, pool, tmp_path, spawn, wait_until, monkeypatch):
    # Given a worker on that store
    environment = {"STORE": url, "QUEUE": queue}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    worker = spawn(
        *(sys.executable, "-m", "celeriac", "-A", "program", "worker", "-P", pool, "-c", "1", "-l", "INFO"),
        env=environment,
    )
    module: dict[str, object] = {"__name__": "program"}
    exec(compile(PROGRAM, "program.py", "exec"), module)
    app = module["app"]
    worker.wait_for_output("ready.")
    with app:
        # When its task runs and is asked to stop
        marker = tmp_path / "begun"
        result = module["work"].delay(str(marker))
        wait_until(marker.exists, timeout=20, message="the task runs")
        result.abort()
        # Then it stops, and has the last word
        assert result.get(timeout=20) == "stopped"
        assert app.AsyncResult(result.id).state == "SUCCESS"
        result.forget()
    worker.kill()
