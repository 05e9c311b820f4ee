"""A worker on RabbitMQ whose sockets are those of a library of greenlets."""

from __future__ import annotations

import signal
import sys
from uuid import uuid4

import pytest
from kombu import Connection

APP = """
import time
from celeriac import Celery
app = Celery("green", broker="{url}", set_as_current=False)
app.conf.task_default_queue = "{queue}"

@app.task(name="nap", ignore_result=True)
def nap(number):
    time.sleep(0.5)
    print("slept", number, flush=True)
"""


@pytest.fixture
def queue(rabbitmq_url):
    queue = f"green-{uuid4().hex}"
    yield queue
    with Connection(rabbitmq_url) as connection:
        connection.default_channel.queue_delete(queue)


@pytest.mark.parametrize("pool", ["gevent", "eventlet"])
def test_tasks_that_wait_run_side_by_side(spawn, tmp_path, rabbitmq_url, queue, pool, wait_until):
    (tmp_path / "green.py").write_text(APP.format(url=rabbitmq_url, queue=queue))
    program = "import green\nfor number in range(100): green.nap.delay(number)\n"
    assert spawn(sys.executable, "-c", program, cwd=tmp_path).wait() == 0

    command = [sys.executable, "-m", "celeriac", "-A", "green", "worker", "-P", pool, "-c", "100", "-l", "WARNING"]
    worker = spawn(*command, cwd=tmp_path)

    # One after the other they would take 50 s.
    wait_until(lambda: worker.output().count("slept") == 100, timeout=25)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
