"""Workers with greenlets, on the embedded queue."""

from __future__ import annotations

import sys

import pytest
from nodes.green import GreenWorkers

MORE = """
import gevent

sleeping = []

@app.task(name="sleep")
def sleep():
    sleeping.append(gevent.getcurrent())
    time.sleep(30)

@app.task(name="kill")
def kill():
    sleeping.pop().kill(block=False)
"""


@pytest.mark.covers("pools.gevent")
class TestGeventWorkers(GreenWorkers):
    pool = "gevent"
    remedy = "monkey.patch_all()"
    more = MORE

    def test_a_task_whose_greenlet_is_killed_by_other_code_has_failed(self, worker, app):
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
