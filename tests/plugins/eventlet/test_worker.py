"""Workers with eventlet's green threads, on the embedded queue."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from celeriac import Celery, states
from celeriac.exceptions import TimeLimitExceeded

APP = """
import socket
import time
from celeriac import Celery, signals
from celeriac.exceptions import SoftTimeLimitExceeded
app = Celery("green", set_as_current=False)

@app.task(name="nap", bind=True)
def nap(self, seconds):
    before = self.request.id
    time.sleep(seconds)
    return socket.socket.__module__.startswith("eventlet"), before == self.request.id == app.current_task.request.id

@app.task(name="long", acks_late=True)
def long(seconds):
    print("long begins", flush=True)
    time.sleep(seconds)
    print("long ends", flush=True)

@app.task(name="limited", soft_time_limit=0.2)
def limited():
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        return "soft"

@app.task(name="hard", time_limit=0.3)
def hard():
    try:
        time.sleep(30)
    except Exception:
        return "not this way"

@app.task(name="timed_out")
def timed_out():
    import eventlet
    with eventlet.Timeout(0.1):
        time.sleep(30)

def tell(of):
    def told(sender, signal, **arguments):
        if "target" in arguments:
            arguments["target"], = {arguments["target"].__name__}
            arguments["args"] = [job.headers["task"] for job in arguments["args"]]
        print("told", of, sender.name, len(sender.active()), arguments, flush=True)
    getattr(signals, of).connect(told, weak=False)

for each in ("started", "preshutdown", "postshutdown", "apply"):
    tell("eventlet_pool_" + each)
"""

COMMAND = [sys.executable, "-m", "celeriac", "-A", "green", "worker", "-P", "eventlet", "-c", "100", "-l", "INFO"]


@pytest.fixture
def worker(spawn, tmp_path):
    (tmp_path / "green.py").write_text(APP)
    worker = spawn(*COMMAND, cwd=tmp_path)
    worker.wait_for_output("ready.")
    return worker


@pytest.fixture
def app():
    with Celery("green", set_as_current=False) as app:
        yield app


@pytest.mark.covers("pools.eventlet")
def test_tasks_that_wait_run_side_by_side_each_with_its_own_request(worker, app):
    results = [app.send_task("nap", [1.0]) for _ in range(100)]
    # One after the other they would take 100 s.
    assert [result.get(timeout=30) for result in results] == [[True, True]] * 100
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


@pytest.mark.covers(
    "signals.eventlet_pool_started",
    "signals.eventlet_pool_preshutdown",
    "signals.eventlet_pool_postshutdown",
    "signals.eventlet_pool_apply",
)
def test_the_life_of_the_pool_is_told_by_its_signals(worker, app):
    app.send_task("nap", [0.01]).get(timeout=20)
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0

    told = [line.partition("] ")[2] for line in worker.output().splitlines() if "] told" in line]
    assert told == [
        "told eventlet_pool_started eventlet 0 {}",
        "told eventlet_pool_apply eventlet 0 {'target': 'run', 'args': ['nap'], 'kwargs': {}}",
        "told eventlet_pool_preshutdown eventlet 0 {}",
        "told eventlet_pool_postshutdown eventlet 0 {}",
    ]


def test_a_warm_stop_lets_what_runs_end(worker, app):
    result = app.send_task("long", [1.0])
    worker.wait_for_output("long begins")

    worker.signal(signal.SIGTERM)

    assert worker.wait() == 0
    assert "long ends" in worker.output()
    assert result.get(timeout=5) is None


def test_a_cold_stop_waits_for_nobody_and_loses_nothing(worker, app, spawn, tmp_path):
    result = app.send_task("long", [3.0])
    worker.wait_for_output("long begins")

    stopped_at = time.monotonic()
    worker.signal(signal.SIGQUIT)
    worker.wait()
    assert "long ends" not in worker.output()
    assert time.monotonic() - stopped_at < 20
    assert result.state not in states.READY_STATES

    # It was not acknowledged, so the next worker runs it.
    spawn(*COMMAND, cwd=tmp_path).wait_for_output("long ends")
    assert result.get(timeout=10) is None


def test_limits_are_kept(worker, app):
    assert app.send_task("limited").get(timeout=20) == "soft"
    with pytest.raises(TimeLimitExceeded):
        app.send_task("hard").get(timeout=20)


def test_a_timeout_of_eventlets_that_nobody_catches_is_a_failure(worker, app, wait_until):
    result = app.send_task("timed_out")

    wait_until(lambda: result.state == states.FAILURE)
    assert "Timeout: 0.1 seconds" in result.traceback


def test_a_job_is_ended_at_the_word_of_remote_control(worker, app, wait_until):
    result = app.send_task("long", [60.0])
    worker.wait_for_output("long begins")

    result.revoke(terminate=True)

    wait_until(lambda: result.state == states.REVOKED)


def test_it_also_runs_in_the_background(spawn, tmp_path, app, wait_until):
    # Its event loop was made before the fork.
    (tmp_path / "green.py").write_text(APP)
    started = spawn(*COMMAND, "--detach", "--pidfile", "green.pid", "--logfile", "green.log", cwd=tmp_path)
    assert started.wait() == 0
    try:
        assert app.send_task("nap", [0.1]).get(timeout=30) == [True, True]
    finally:
        pid = int((tmp_path / "green.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not (tmp_path / "green.pid").exists())


def test_time_limits_of_the_pool_solo_hold_where_eventlet_has_patched_the_library(spawn, tmp_path):
    program = "import eventlet; eventlet.monkey_patch(); from celeriac.worker.alarm import can_ring; print(can_ring())"
    patched = spawn(sys.executable, "-W", "ignore", "-c", program, cwd=tmp_path)
    assert patched.wait() == 0
    assert "True" in patched.output()


def test_it_says_that_eventlet_is_in_maintenance(worker):
    assert "its authors advise to leave it" in worker.output()


def test_a_program_that_is_not_patched_is_refused_with_the_remedy(spawn, tmp_path):
    (tmp_path / "green.py").write_text(APP + "\napp.worker_main(['worker', '-P', 'eventlet'])\n")
    worker = spawn(sys.executable, "green.py", cwd=tmp_path)
    assert worker.wait() == 1
    assert "eventlet.monkey_patch()" in worker.output()


def test_an_eventlet_that_cannot_be_imported_is_told_in_a_line_with_the_remedy(spawn, tmp_path):
    # Given one that fails as those do that are older than the Python
    (tmp_path / "green.py").write_text(APP)
    (tmp_path / "eventlet.py").write_text("raise AttributeError('no such thing in this Python')")

    worker = spawn(*COMMAND, cwd=tmp_path)

    assert worker.wait() == 1
    assert "pip install -U eventlet" in worker.output()
    assert "Traceback" not in worker.output()
