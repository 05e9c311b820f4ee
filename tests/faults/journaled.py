"""The app under load: its tasks write down, in a file that only grows, when they begin and when they end."""

from __future__ import annotations

import json
import os
import signal
import time

from celeriac import Celery

app = Celery("faults", **json.loads(os.environ["FAULTS_SETTINGS"]))


def note(word: str, task_id: str) -> None:
    # One write to a file opened for appending: lines of many processes never mix, and outlive them.
    journal = os.open(os.environ["FAULTS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(journal, f"{word} {task_id}\n".encode())
    os.close(journal)


def work(task_id: str, seconds: float) -> str:
    note("begin", task_id)
    time.sleep(seconds)
    note("end", task_id)
    return task_id


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def late(self, seconds):
    return work(self.request.id, seconds)


def hold(task_id: str, until: str) -> str:
    """Run until there is a file of that name."""
    note("begin", task_id)
    while not os.path.exists(until):
        time.sleep(0.01)
    note("end", task_id)
    return task_id


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def held_late(self, until):
    return hold(self.request.id, until)


@app.task(bind=True)
def held_early(self, until):
    return hold(self.request.id, until)


def fall(task_id: str, how: str) -> str:
    """End this process the first time it is called with that id."""
    with open(os.environ["FAULTS_JOURNAL"]) as journal:
        first = f"begin {task_id}\n" not in journal
    note("begin", task_id)
    if first:
        if how == "exit":
            os._exit(3)
        os.kill(os.getpid(), signal.Signals[how])
    note("end", task_id)
    return task_id


@app.task(bind=True)
def falls(self, how):
    return fall(self.request.id, how)


@app.task(bind=True, acks_late=True)
def falls_late(self, how):
    return fall(self.request.id, how)


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def falls_once(self, how):
    return fall(self.request.id, how)


@app.task
def tell(task_id):
    note("errback", task_id)


@app.task(bind=True)
def early(self, seconds):
    return work(self.request.id, seconds)


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def falls_always(self, how):
    note("begin", self.request.id)
    os.kill(os.getpid(), signal.Signals[how])


@app.task
def when():
    return time.time()
