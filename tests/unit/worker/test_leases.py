"""Leases are renewed while a task keeps the loop from turning."""

from __future__ import annotations

import sys
import threading

from celeriac.worker.lease_keeper import LeaseKeeper

TASKS = """
import os
import time
from celeriac import Celery

app = Celery("proj", broker="sqlite:///queue.db", backend="sqlite:///queue.db", sqlite_lease=1.0)

@app.task
def early():
    note("early")
    time.sleep(4)
    return "early"

@app.task(acks_late=True)
def late():
    note("late")
    time.sleep(4)
    return "late"

@app.task
def quick():
    return "quick"

def note(word):
    with open("journal", "a") as journal:
        journal.write(word + chr(10))
"""


class Lane:
    renew_interval = 0.01

    def __init__(self, renew):
        self._renew = renew

    def keeper(self):
        return self._renew


def test_a_thread_renews_until_it_is_stopped(wait_until):
    renewed = []
    keeper = LeaseKeeper(Lane(lambda: renewed.append(threading.get_ident())))
    keeper.start()
    wait_until(lambda: len(renewed) > 2)
    keeper.stop()
    count = len(renewed)
    keeper.stop()
    assert threading.get_ident() not in renewed
    assert len(renewed) == count


def test_a_renewal_that_fails_is_told_of_and_tried_again(wait_until, caplog):
    calls = []

    def fail():
        calls.append(1)
        raise OSError("away")

    keeper = LeaseKeeper(Lane(fail))
    keeper.start()
    wait_until(lambda: len(calls) > 2)
    keeper.stop()
    assert "Could not renew the leases of claimed messages: OSError('away')" in caplog.text


def test_nothing_happens_where_there_is_nothing_to_renew():
    lane = Lane(None)
    keeper = LeaseKeeper(lane)
    keeper.start()
    keeper.stop()
    lane.renew_interval = 0.0
    lane._renew = lambda: 1 / 0
    LeaseKeeper(lane).start()
    assert "celeriac-leases" not in [thread.name for thread in threading.enumerate()]


def test_a_solo_task_that_runs_longer_than_the_lease_is_neither_lost_nor_run_twice(spawn, tmp_path, wait_until):
    # Given two workers on one queue, whose leases last a second
    (tmp_path / "tasks.py").write_text(TASKS)
    command = [sys.executable, "-m", "celeriac", "-A", "tasks", "worker", "-P", "solo", "-l", "INFO"]
    workers = [spawn(*command, cwd=tmp_path) for _ in range(2)]
    for worker in workers:
        worker.wait_for_output("ready.")

    # When each runs a task of four seconds, one after the other so that one of the loops can look for dead workers
    code = (
        "import tasks\n"
        "for task in (tasks.early, tasks.late):\n"
        "    assert task.delay().get(timeout=20) == task.name.rpartition('.')[2]\n"
        "assert tasks.quick.delay().get(timeout=20) == 'quick'\n"
    )
    caller = spawn(sys.executable, "-c", code, cwd=tmp_path)

    # Then they succeed, having run once
    assert caller.wait(45) == 0, caller.output()
    assert (tmp_path / "journal").read_text() == "early\nlate\n"
    for worker in workers:
        worker.signal(15)
        assert worker.wait() == 0
        assert "lease" not in worker.output()
