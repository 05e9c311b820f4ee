"""Workers with eventlet's green threads, on the embedded queue."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from nodes.green import GreenWorkers, command, source

from celeriac import states

MORE = """
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


@pytest.mark.covers("pools.eventlet")
class TestEventletWorkers(GreenWorkers):
    pool = "eventlet"
    remedy = "eventlet.monkey_patch()"
    more = MORE

    @pytest.mark.covers(
        "signals.eventlet_pool_started",
        "signals.eventlet_pool_preshutdown",
        "signals.eventlet_pool_postshutdown",
        "signals.eventlet_pool_apply",
    )
    def test_the_life_of_the_pool_is_told_by_its_signals(self, worker, app):
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

    def test_a_timeout_of_eventlets_that_nobody_catches_is_a_failure(self, worker, app, wait_until):
        result = app.send_task("timed_out")

        wait_until(lambda: result.state == states.FAILURE)
        assert "Timeout: 0.1 seconds" in result.traceback

    def test_it_also_runs_in_the_background(self, spawn, tmp_path, app, wait_until):
        # Its event loop was made before the fork.
        (tmp_path / "green.py").write_text(source(self.pool))
        started = spawn(
            *command(self.pool), "--detach", "--pidfile", "green.pid", "--logfile", "green.log", cwd=tmp_path
        )
        assert started.wait() == 0
        try:
            assert app.send_task("nap", [0.1]).get(timeout=30) == [True, True]
        finally:
            pid = int((tmp_path / "green.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not (tmp_path / "green.pid").exists())

    def test_it_says_that_eventlet_is_in_maintenance(self, worker):
        assert "its authors advise to leave it" in worker.output()

    def test_an_eventlet_that_cannot_be_imported_is_told_in_a_line_with_the_remedy(self, spawn, tmp_path):
        # Given one that fails as those do that are older than the Python
        (tmp_path / "green.py").write_text(source(self.pool))
        (tmp_path / "eventlet.py").write_text("raise AttributeError('no such thing in this Python')")

        worker = spawn(*command(self.pool), cwd=tmp_path)

        assert worker.wait() == 1
        assert "pip install -U eventlet" in worker.output()
        assert "Traceback" not in worker.output()


def test_time_limits_of_the_pool_solo_hold_where_eventlet_has_patched_the_library(spawn, tmp_path):
    program = "import eventlet; eventlet.monkey_patch(); from celeriac.worker.alarm import can_ring; print(can_ring())"
    patched = spawn(sys.executable, "-W", "ignore", "-c", program, cwd=tmp_path)
    assert patched.wait() == 0
    assert "True" in patched.output()
