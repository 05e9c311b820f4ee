"""Whole workers on Redis."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from celeriac import Celery, chord
from celeriac.exceptions import WorkerLostError

TASKS = """
import os, sys, time
from celeriac import Celery

app = Celery("proj", broker=os.environ["URL"], backend=os.environ["URL"])
app.conf.broker_transport_options = {"global_keyprefix": os.environ["PREFIX"], "lease": 1}
app.conf.result_backend_transport_options = {"global_keyprefix": os.environ["PREFIX"]}

@app.task
def add(x, y):
    return x + y

@app.task
def total(numbers):
    return sum(numbers)

@app.task
def when():
    return time.time()

@app.task(bind=True, max_retries=2, default_retry_delay=0.2)
def failing(self):
    raise self.retry(exc=LookupError(f"try {self.request.retries}"))

@app.task
def early(path):
    open(path, "a").write("ran\\n")
    time.sleep(600)

@app.task(acks_late=True, reject_on_worker_lost=True)
def late(path):
    with open(path, "a") as file:
        file.write("ran\\n")
    if open(path).read().count("ran") < 2:
        time.sleep(600)
    return "done"
"""


@pytest.fixture
def start(spawn, tmp_path, url, prefix, server):
    """Return ``start(*arguments)``: a worker of the tasks above, ready."""
    (tmp_path / "tasks.py").write_text(TASKS)
    started = []

    def start_worker(*arguments):
        worker = spawn(
            sys.executable,
            *("-m", "celeriac", "-A", "tasks", "worker", "-l", "INFO", "-c", "2", *arguments),
            env={"URL": url, "PREFIX": prefix},
        )
        started.append(worker)
        worker.wait_for_output("ready")
        return worker

    yield start_worker
    for worker in started:  # before the keys of the test are deleted
        worker.kill()


@pytest.fixture
def client(app):
    return lambda name, *args, **options: app.send_task(f"tasks.{name}", args, **options)


@pytest.mark.covers("backends.redis", "transports.redis")
@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_tasks_run_and_their_results_come_back(start, client, pool, server, prefix):
    worker = start("-P", pool)
    results = [client("add", number, 1) for number in range(200)]
    assert [result.get(timeout=20) for result in results] == list(range(1, 201))
    with pytest.raises(LookupError, match="try 2"):
        client("failing").get(timeout=20)
    sent = time.time()
    assert client("when", countdown=0.5).get(timeout=20) - sent >= 0.5
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    left = {key for key in server.scan_iter(f"{prefix}*") if b"celery-task-meta" not in key and b"_kombu" not in key}
    assert left == set()


def test_a_chord_calls_its_body_once_and_leaves_only_that_it_did(start, app, server, prefix, wait_until):
    start()
    header = [app.signature("tasks.add", (number, 1)) for number in range(60)]
    assert chord(header, app=app)(app.signature("tasks.total")).get(timeout=20) == sum(range(1, 61))

    def left():
        return {key.rpartition(b".")[2] for key in server.scan_iter(f"{prefix}celery-taskset-meta-*")}

    # That the body was called, and which message of it was the one that ran
    wait_until(lambda: left() == {b"c", b"a"})


def test_tasks_of_a_killed_worker_run_again_or_are_told_as_lost(start, client, tmp_path, wait_until):
    worker = start()
    early, late = client("early", str(tmp_path / "early")), client("late", str(tmp_path / "late"))
    wait_until(lambda: (tmp_path / "early").exists() and (tmp_path / "late").exists(), 20)
    worker.kill()
    start()
    assert late.get(timeout=30) == "done"
    with pytest.raises(WorkerLostError):
        early.get(timeout=30)
    assert (tmp_path / "early").read_text() == "ran\n"
    assert (tmp_path / "late").read_text() == "ran\n" * 2


def test_a_worker_lives_through_a_restart_of_its_server(own_server, spawn, tmp_path, prefix):
    server = own_server()
    (tmp_path / "tasks.py").write_text(TASKS)
    worker = spawn(
        sys.executable,
        *("-m", "celeriac", "-A", "tasks", "worker", "-l", "INFO", "-c", "1"),
        env={"URL": server.url, "PREFIX": prefix},
    )
    worker.wait_for_output("ready")
    app = Celery("proj", set_as_current=False, broker=server.url, result_backend=server.url)
    app.conf.broker_transport_options = app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
    assert app.send_task("tasks.add", (1, 2)).get(timeout=20) == 3
    server.stop()
    server.start()
    assert app.send_task("tasks.add", (3, 4)).get(timeout=30) == 7
    app.close()
    assert worker.poll() is None
    assert os.path.exists(tmp_path / "redis.sock")
