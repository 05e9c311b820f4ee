"""Workers with greenlets, on the embedded queue."""

from __future__ import annotations

import sys

import pytest

from celeriac import Celery
from celeriac.exceptions import TimeLimitExceeded

APP = """
import gevent
import socket
import threading
import time
from celeriac import Celery
from celeriac.exceptions import SoftTimeLimitExceeded
app = Celery("green", set_as_current=False)

@app.task(name="nap", bind=True)
def nap(self, seconds):
    before = self.request.id
    time.sleep(seconds)
    return socket.socket.__module__.startswith("gevent"), before == self.request.id == app.current_task.request.id

@app.task(name="limited", soft_time_limit=0.2)
def limited():
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        return "soft"

sleeping = []

@app.task(name="sleep")
def sleep():
    sleeping.append(gevent.getcurrent())
    time.sleep(30)

@app.task(name="kill")
def kill():
    sleeping.pop().kill(block=False)

@app.task(name="hard", time_limit=0.3)
def hard():
    try:
        time.sleep(30)
    except Exception:
        return "not this way"
"""


@pytest.fixture
def worker(spawn, tmp_path):
    (tmp_path / "green.py").write_text(APP)
    command = [sys.executable, "-m", "celeriac", "-A", "green", "worker", "-P", "gevent", "-c", "100", "-l", "INFO"]
    worker = spawn(*command, cwd=tmp_path)
    worker.wait_for_output("ready.")
    return worker


@pytest.mark.covers("pools.gevent")
def test_tasks_that_wait_run_side_by_side_each_with_its_own_request(worker):
    with Celery("green", set_as_current=False) as app:
        results = [app.send_task("nap", [1.0]) for _ in range(100)]
        # One after the other they would take 100 s.
        assert [result.get(timeout=30) for result in results] == [[True, True]] * 100
    worker.signal(15)
    assert worker.wait() == 0


def test_limits_are_kept(worker):
    with Celery("green", set_as_current=False) as app:
        assert app.send_task("limited").get(timeout=20) == "soft"
        with pytest.raises(TimeLimitExceeded):
            app.send_task("hard").get(timeout=20)


def test_a_task_whose_greenlet_is_killed_by_other_code_has_failed(worker):
    with Celery("green", set_as_current=False) as app:
        killed = app.send_task("sleep")
        app.send_task("kill").get(timeout=20)
        assert "GreenletExit" in repr(killed.get(timeout=20, propagate=False))
        assert killed.state == "FAILURE"


BEFORE_IT_BEGINS = """
from gevent import monkey
monkey.patch_all()
import gevent
from celeriac.contracts.limits import NO_LIMITS
from celeriac.contracts.pool import Job
from celeriac_gevent.greenlet_run import GeventRun

reports = []
run = GeventRun(Job(7, {}, b"", "", "", {}, {}), NO_LIMITS, None, lambda run, report: reports.append(report))
run._greenlet.kill()
gevent.sleep(0.05)
print([(report.number, report.kind.name, report.detail) for report in reports])
"""


def test_a_greenlet_that_is_killed_before_it_begins_is_told_of(spawn, tmp_path):
    program = spawn(sys.executable, "-c", BEFORE_IT_BEGINS, cwd=tmp_path)
    assert program.wait() == 0, program.output()
    assert "[(7, 'WORKER_LOST', 'its greenlet was killed by other code')]" in program.output()


def test_a_program_that_is_not_patched_is_refused_with_the_remedy(spawn, tmp_path):
    (tmp_path / "green.py").write_text(APP + "\napp.worker_main(['worker', '-P', 'gevent'])\n")
    worker = spawn(sys.executable, "green.py", cwd=tmp_path)
    assert worker.wait() == 1
    assert "monkey.patch_all()" in worker.output()
