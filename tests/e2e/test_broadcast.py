"""A broadcast queue: each worker that listens gets its own copy of each message."""

from __future__ import annotations

import sys
import threading
from uuid import uuid4

import pytest
from kombu.common import Broadcast

from celeriac import Celery

TASKS = """
import os
from kombu import Queue
from kombu.common import Broadcast
from celeriac import Celery

app = Celery("news", task_queues=[Broadcast(os.environ["NEWS"]), Queue(os.environ["NEWS"] + ".own")])
app.conf.task_routes = {"news.tell": {"queue": os.environ["NEWS"]}}
app.conf.task_default_queue = os.environ["NEWS"] + ".own"

@app.task(name="news.tell", ignore_result=True)
def tell(path, word):
    with open(f"{path}/{os.environ['WHO']}", "a") as file:
        file.write(word + "\\n")
"""


@pytest.fixture(params=["redis", "sqlite"])
def broker(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/broker.db"
    return request.getfixturevalue("redis_url")


def test_two_workers_each_get_their_copy(broker, spawn, tmp_path, wait_until):
    # Given two workers that listen to a broadcast, in processes of their own
    (tmp_path / "news.py").write_text(TASKS)
    environment = {"NEWS": f"news-{uuid4().hex}", "CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker}
    told = tmp_path / "told"
    told.mkdir()
    for who in ("one", "two"):
        command = [sys.executable, "-m", "celeriac", "-A", "news", "worker", "-P", "solo", "-l", "INFO", "-n", who]
        spawn(*command, cwd=tmp_path, env={**environment, "WHO": who}).wait_for_output("ready.")

    # When a program that listens to nothing sends two messages, by the name that the broadcast was given
    program = f"from news import tell; [tell.delay({str(told)!r}, word) for word in ('first', 'second')]"
    sender = spawn(sys.executable, "-c", program, cwd=tmp_path, env={**environment, "WHO": "sender"})
    assert sender.wait(40) == 0, sender.output()

    # Then both have run both
    def heard():
        return {path.name: path.read_text().split() for path in told.iterdir()}

    both = {"one": ["first", "second"], "two": ["first", "second"]}
    wait_until(lambda: heard() == both, message="each worker has run both")


def test_on_memory_two_workers_of_a_process_each_get_their_copy(wait_until):
    # Given two apps of one process on one broker, as each worker has an app of its own
    url, ran, workers = f"memory://{uuid4().hex}", [], []
    for who in ("one", "two"):
        app = Celery(who, broker=url, backend=url, set_as_current=False, task_queues=[Broadcast("news")])

        @app.task(name="news.tell", shared=False)
        def tell(word, who=who):
            ran.append((who, word))

        ready = threading.Event()
        worker = app.Worker(pool="solo", ready_callback=lambda _, ready=ready: ready.set())
        thread = threading.Thread(target=worker.start)
        thread.start()
        assert ready.wait(10)
        workers.append((worker, thread))

    # When a third sends
    try:
        with Celery("third", broker=url, set_as_current=False, task_queues=[Broadcast("news")]) as sender:
            sender.send_task("news.tell", ("first",), queue="news")
            wait_until(lambda: sorted(ran) == [("one", "first"), ("two", "first")], message="each has run it")
    finally:
        for worker, thread in workers:
            worker.stop()
            thread.join(20)
            worker.app.close()
