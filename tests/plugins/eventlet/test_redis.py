"""A worker with eventlet's green threads on Redis, whose clients then wait in eventlet's way."""

from __future__ import annotations

import signal
import sys
from uuid import uuid4

import pytest
from redis import Redis

APP = """
import time
from celeriac import Celery
app = Celery("green", broker="{url}", backend="{url}", set_as_current=False)
app.conf.broker_transport_options = {{"global_keyprefix": "{prefix}"}}
app.conf.result_backend_transport_options = {{"global_keyprefix": "{prefix}"}}

@app.task(name="nap")
def nap(seconds):
    time.sleep(seconds)

@app.task(name="starts")
def starts(number):
    return [nap.delay(0).id for _ in range(number)]
"""


@pytest.fixture
def prefix(redis_url):
    prefix = f"eventlet-{uuid4().hex}:"
    yield prefix
    with Redis.from_url(redis_url) as server:
        for key in server.scan_iter(f"{prefix}*", count=1000):
            server.delete(key)


def test_tasks_that_wait_and_tasks_that_send_run_side_by_side(spawn, tmp_path, redis_url, prefix):
    source = APP.format(url=redis_url, prefix=prefix)
    (tmp_path / "green.py").write_text(source)
    found: dict = {}
    exec(source, found)
    command = [sys.executable, "-m", "celeriac", "-A", "green", "worker", "-P", "eventlet", "-c", "100", "-l", "INFO"]
    worker = spawn(*command, cwd=tmp_path)
    worker.wait_for_output("ready.")

    with found["app"] as app:
        naps = [app.send_task("nap", [0.5]) for _ in range(200)]
        starts = [app.send_task("starts", [5]) for _ in range(20)]

        # One after the other they would take 100 s.
        assert [result.get(timeout=30) for result in naps] == [None] * 200
        ids = [task_id for result in starts for task_id in result.get(timeout=30)]
        assert [app.AsyncResult(task_id).get(timeout=30) for task_id in ids] == [None] * 100

    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
