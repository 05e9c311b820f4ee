"""Messages that come again, and tasks whose process has died: with real workers, on each broker."""

from __future__ import annotations

import importlib
import sys
import uuid
from pathlib import Path

import pytest

from celeriac.exceptions import WorkerLostError

APP = """
import os
from pathlib import Path

from celeriac import Celery

app = Celery("again", broker={broker!r}, backend="sqlite://", task_default_queue={queue!r}, **{settings!r})


def noted(word):
    with open("runs", "a") as runs:
        runs.write(word + " ")


@app.task(bind=True, retry_on_worker_lost=True, max_retries=2, default_retry_delay=0.05, acks_late={late!r})
def fragile(self, tries):
    noted(str(self.request.retries))
    if self.request.retries < tries:
        os._exit(9)
    return self.request.retries


@app.task(acks_late=True)
def once(value):
    noted("once")
    return value


@app.task
def where():
    return os.environ["NODE"]
"""


@pytest.fixture
def make_project(tmp_path, monkeypatch, own_keys, leave_nothing):
    """Return ``make_project(broker, late=False, **settings)``: a project with a queue of its own, imported here."""
    made = []

    def make(broker="sqlite://", late=False, **settings):
        name, queue = f"again_{uuid.uuid4().hex}", f"again-{uuid.uuid4().hex}"
        if broker.startswith("redis"):
            settings["broker_transport_options"] = own_keys(queue)
        (tmp_path / f"{name}.py").write_text(APP.format(broker=broker, queue=queue, settings=settings, late=late))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.chdir(tmp_path)
        made.append(importlib.import_module(name))
        return made[-1]

    yield make
    for project in made:
        leave_nothing(project.app, project.app.conf.task_default_queue)
        project.app.close()
        sys.modules.pop(project.__name__, None)


@pytest.fixture
def start_worker(spawn, tmp_path):
    def start(project, *options, **env):
        command = [sys.executable, "-m", "celeriac", "-A", project.__name__, "worker", "-P", "prefork", "-c", "1"]
        worker = spawn(*command, "-l", "INFO", *options, cwd=tmp_path, env=env)
        worker.wait_for_output("ready.")
        return worker

    return start


@pytest.mark.covers("app.task.Task.retry_on_worker_lost", "settings.task_retry_on_worker_lost")
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("server", [None, "redis_url", "rabbitmq_url"])
def test_a_task_whose_process_died_is_tried_again_where_it_asks_for_that(
    make_project, start_worker, request, server, late
):
    broker = request.getfixturevalue(server) if server else "sqlite://"
    project = make_project(broker, late)
    start_worker(project)
    # One that survives its last try succeeds; one that does not is lost.
    assert project.fragile.delay(2).get(timeout=30) == 2
    with pytest.raises(WorkerLostError):
        project.fragile.delay(3).get(timeout=30)
    assert Path("runs").read_text().split() == ["0", "1", "2"] * 2


@pytest.mark.covers("settings.worker_deduplicate_successful_tasks")
@pytest.mark.parametrize("deduplicates", [False, True])
def test_a_message_that_comes_again_after_its_task_has_succeeded_is_not_run_where_the_setting_says_so(
    make_project, start_worker, wait_until, deduplicates
):
    project = make_project(worker_deduplicate_successful_tasks=deduplicates)
    app = project.app
    # Given a message that a worker had when it died, after it had stored the result
    result = project.once.delay(1)
    app.results.store([app.results.entry(result.id, "SUCCESS", "the first run")])
    with app.connection_for_write() as connection:
        channel = connection.channel()
        message = app.amqp.queues[app.conf.task_default_queue](channel).get(no_ack=False)
        message.requeue()
        channel.close()

    # When it comes again, and another one after it
    worker = start_worker(project)
    assert project.once.delay(2).get(timeout=20) == 2

    # Then it is run again, or is not
    assert Path("runs").read_text().split() == ["once"] * (1 if deduplicates else 2)
    assert result.get(timeout=20) == "the first run"
    wait_until(lambda: worker.output().count(" ended: ") + worker.output().count(" succeeded in ") == 2)
    assert ("it has succeeded before" in worker.output()) == deduplicates


@pytest.mark.covers("settings.worker_direct")
def test_a_worker_can_be_sent_a_task_that_no_other_gets(make_project, start_worker):
    from celeriac.app.queues import worker_direct

    project = make_project(worker_direct=True)
    for node in ("one", "two"):
        start_worker(project, "-n", f"{node}@here", NODE=node)
    found = [project.where.apply_async(queue=worker_direct(f"{node}@here")) for node in ["one", "two"] * 5]
    assert [result.get(timeout=20) for result in found] == ["one", "two"] * 5
