"""Whole workers on Redis."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time

import pytest
from redis import Redis

from celeriac import Celery, chord
from celeriac.exceptions import WorkerLostError

TASKS = """
import os, sys, time
from celeriac import Celery

app = Celery("proj", broker=os.environ["URL"], backend=os.environ["URL"])
app.conf.broker_transport_options = {"global_keyprefix": os.environ["PREFIX"], "lease": 1}
app.conf.result_backend_transport_options = {"global_keyprefix": os.environ["PREFIX"]}
app.conf.result_extended = True

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
    written = [tmp_path / "early", tmp_path / "late"]
    wait_until(lambda: all(path.exists() and path.read_text() == "ran\n" for path in written), 20, "both have begun")
    worker.kill()
    start()
    assert late.get(timeout=30) == "done"
    with pytest.raises(WorkerLostError):
        early.get(timeout=30)
    assert (tmp_path / "early").read_text() == "ran\n"
    assert (tmp_path / "late").read_text() == "ran\n" * 2


def test_an_extended_result_tells_of_its_call_until_it_is_forgotten(start, client, server, prefix):
    start("-n", "extended@%h")
    result = client("add", 1, 2)
    assert result.get(timeout=20) == 3
    assert (result.name, result.args, result.kwargs, result.retries, result.queue) == (
        "tasks.add",
        [1, 2],
        {},
        0,
        "celery",
    )
    assert result.worker.startswith("extended@")
    assert server.exists(f"{prefix}celery-task-meta-{result.id}")
    result.forget()
    assert not server.exists(f"{prefix}celery-task-meta-{result.id}")
    assert result.state == "PENDING"


@pytest.fixture
def work_at(spawn, tmp_path, prefix):
    """Return ``work_at(url)``: a worker of the tasks above there, and an app that sends them."""
    (tmp_path / "tasks.py").write_text(TASKS)
    apps = []

    def start_worker(url):
        worker = spawn(
            sys.executable,
            *("-m", "celeriac", "-A", "tasks", "worker", "-l", "INFO", "-c", "1"),
            env={"URL": url, "PREFIX": prefix},
        )
        worker.wait_for_output("ready")
        app = Celery("proj", set_as_current=False, broker=url, result_backend=url)
        app.conf.broker_transport_options = app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
        apps.append(app)
        return worker, app

    yield start_worker
    for app in apps:
        app.close()


def test_the_scheme_valkey_names_a_server(own_server, work_at):
    server = own_server(program="valkey-server" if shutil.which("valkey-server") else "redis-server")
    _, app = work_at(server.url.replace("redis://", "valkey://"))
    assert app.send_task("tasks.add", (1, 2)).get(timeout=20) == 3
    header = [app.signature("tasks.add", (number, 1)) for number in range(5)]
    assert chord(header, app=app)(app.signature("tasks.total")).get(timeout=20) == 15


def test_a_server_may_forget_its_scripts_at_any_moment(own_server, work_at):
    # Given a worker and a server that forgets all scripts again and again
    server = own_server()
    worker, app = work_at(server.url)
    ended = threading.Event()
    forgotten = []

    def forget():
        with Redis.from_url(server.url) as client:
            while not ended.wait(0.001):
                client.script_flush()
                forgotten.append(True)

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    try:
        # When tasks run, wait, count as parts and come back
        results = [app.send_task("tasks.add", (number, 1)) for number in range(200)]
        late = app.send_task("tasks.add", (1, 1), countdown=0.3)
        header = [app.signature("tasks.add", (number, 1)) for number in range(40)]
        assert chord(header, app=app)(app.signature("tasks.total")).get(timeout=40) == sum(range(1, 41))
        # Then nothing is missed
        assert [result.get(timeout=40) for result in results] == list(range(1, 201))
        assert late.get(timeout=40) == 2
    finally:
        ended.set()
        forgetting.join()
    assert len(forgotten) > 20
    assert worker.poll() is None


def test_a_worker_lives_through_a_restart_of_its_server(own_server, work_at, tmp_path):
    server = own_server()
    worker, app = work_at(server.url)
    assert app.send_task("tasks.add", (1, 2)).get(timeout=20) == 3
    server.stop()
    server.start()
    assert app.send_task("tasks.add", (3, 4)).get(timeout=30) == 7
    assert worker.poll() is None
    assert os.path.exists(tmp_path / "redis.sock")
