"""Messages that will not be run are kept, can be looked at, and run again: real workers on real brokers."""

from __future__ import annotations

import json
import sys
import uuid

import pytest

from celeriac.exceptions import DeliveryLimitExceeded, NotRegistered, WorkerLostError

APP = """
import os
import time
from pathlib import Path

from celeriac import Celery
from celeriac.exceptions import Reject

app = Celery("dead", broker={broker!r}, backend={backend!r}, task_default_queue={queue!r}, **{settings!r})


@app.task(acks_late=True, reject_on_worker_lost=True)
def deadly(cure):
    with open("runs", "a") as runs:
        runs.write("x")
    if not Path(cure).exists():
        os._exit(9)
    return "cured"


@app.task(acks_late=True, reject_on_worker_lost=True)
def patient(gate):
    first = not Path("begun").exists()
    Path("begun").touch()
    while not first and not Path(gate).exists():
        time.sleep(0.01)
    os._exit(9)


@app.task(acks_late=True, max_deliveries=2)
def again(cure):
    if not Path(cure).exists():
        raise Reject("not yet", requeue=True)
    return "cured"
"""


#: Claims of a worker that has died come back after so many seconds; RabbitMQ knows of its end at once.
LEASE = {"lease": 5.0}


@pytest.fixture(params=["sqlite", "redis", "rabbitmq"])
def make_project(request, tmp_path, monkeypatch, own_keys, leave_nothing):
    """Return ``make_project(**settings)``: a project on one broker, imported here, with a queue of its own."""
    queue = f"dead-{uuid.uuid4().hex}"
    made = []

    def make(**settings):
        broker = "sqlite://" if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_url")
        if request.param == "redis":
            settings["broker_transport_options"] = {**settings.get("broker_transport_options", {}), **own_keys(queue)}
        # Results in SQLite: where they are is not the point.
        source = APP.format(broker=broker, backend="sqlite://", queue=queue, settings=settings)
        (tmp_path / "dead.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "dead", raising=False)
        import dead

        made.append(dead.app)
        return dead

    yield make
    for app in made:
        leave_nothing(app, queue, f"{queue}.dlq")
        app.close()
    sys.modules.pop("dead", None)


@pytest.fixture
def celeriac(spawn, tmp_path):
    """Return ``celeriac(*arguments)``: what the command prints."""

    def run(*arguments):
        ran = spawn(sys.executable, "-m", "celeriac", "-A", "dead", *arguments, cwd=tmp_path)
        assert ran.wait() == 0, ran.output()
        return ran.output()

    return run


@pytest.fixture
def start_worker(spawn, tmp_path):
    def start():
        command = [sys.executable, "-m", "celeriac", "-A", "dead", "worker", "-P", "prefork", "-c", "1", "-l", "INFO"]
        worker = spawn(*command, cwd=tmp_path)
        worker.wait_for_output("ready.")
        return worker

    return start


def test_a_message_that_kills_its_process_is_kept_shown_and_run_again(make_project, celeriac, start_worker, tmp_path):
    # Given a task that kills the process that runs it
    project = make_project(task_max_worker_losses=2)
    queue, cure = project.app.conf.task_default_queue, tmp_path / "cure"
    start_worker()

    # When it has done so as often as it may
    result = project.deadly.delay(str(cure))
    with pytest.raises(WorkerLostError, match="died 2 times"):
        result.get(timeout=20)

    # Then its message is a dead letter
    assert (tmp_path / "runs").read_text() == "xx"
    assert json.loads(celeriac("dlq", "list", "--json")) == {queue: 1}
    (letter,) = json.loads(celeriac("dlq", "show", queue, "--json"))
    assert (letter["task_id"], letter["reason"]) == (result.id, "worker-lost")
    assert "died 2 times" in letter["error"]

    # And sent again, it runs
    cure.touch()
    project.app.AsyncResult(result.id).forget()
    assert celeriac("dlq", "requeue", queue, result.id) == "1 message sent again\n"
    assert project.app.AsyncResult(result.id).get(timeout=20) == "cured"
    assert json.loads(celeriac("dlq", "list", "--json")) == {queue: 0}


def test_the_deaths_of_a_message_are_counted_over_all_workers(make_project, celeriac, start_worker, tmp_path):
    # Given a worker in which a task has killed its process once, and which has then died itself
    project = make_project(task_max_worker_losses=2, broker_transport_options=LEASE)
    first = start_worker()
    result = project.patient.delay(str(tmp_path / "gate"))
    first.wait_for_output("its message goes back to the queue")
    first.kill()
    (tmp_path / "gate").touch()

    # When another one takes over, then it loses one process to it, and no second one
    second = start_worker()
    with pytest.raises(WorkerLostError, match="died 2 times"):
        result.get(timeout=30)
    assert second.output().count("Child process") == 1
    assert json.loads(celeriac("dlq", "list", "--json")) == {project.app.conf.task_default_queue: 1}


def test_a_message_of_a_task_that_nobody_knows_is_kept_until_somebody_does(make_project, celeriac, start_worker):
    project = make_project()
    queue = project.app.conf.task_default_queue
    start_worker()
    with pytest.raises(NotRegistered):
        project.app.send_task("dead.of_next_week", [1]).get(timeout=20)
    assert "dead.of_next_week" in celeriac("dlq", "show", queue)
    assert celeriac("dlq", "purge", queue, "--all", "--force") == "1 message removed\n"
    assert celeriac("dlq", "show", queue) == f"queue {queue} has no dead letters\n"


def test_a_message_that_was_delivered_too_often_is_kept_where_the_broker_counts(
    make_project, celeriac, start_worker, tmp_path
):
    # Of RabbitMQ's queues these do
    project = make_project(task_default_queue_type="quorum")
    queue = project.app.conf.task_default_queue
    start_worker()
    result = project.again.delay(str(tmp_path / "cure"))
    with pytest.raises(DeliveryLimitExceeded, match="delivered 2 times"):
        result.get(timeout=20)
    (letter,) = json.loads(celeriac("dlq", "show", queue, "--json"))
    assert (letter["task_id"], letter["reason"]) == (result.id, "delivery-limit")
