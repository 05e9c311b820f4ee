"""Workers with green threads, on the embedded queue: what holds of them whichever library they are made of."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from celeriac import Celery, states
from celeriac.exceptions import TimeLimitExceeded

_APP = """
import socket
import time
from celeriac import Celery, signals
from celeriac.exceptions import SoftTimeLimitExceeded
app = Celery("green", set_as_current=False)

@app.task(name="nap", bind=True)
def nap(self, seconds):
    before = self.request.id
    time.sleep(seconds)
    return socket.socket.__module__.startswith("{pool}"), before == self.request.id == app.current_task.request.id

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
"""


def source(pool, more=""):
    """The application of the tests, for workers with that pool."""
    return _APP.format(pool=pool) + more


def command(pool):
    """What starts a worker of it."""
    return [sys.executable, "-m", "celeriac", "-A", "green", "worker", "-P", pool, "-c", "100", "-l", "INFO"]


class GreenWorkers:
    """A subclass names the `pool`, its `remedy` for programs that are not patched, and `more` of the application."""

    pool: str
    remedy: str
    more = ""

    @pytest.fixture
    def worker(self, spawn, tmp_path):
        (tmp_path / "green.py").write_text(source(self.pool, self.more))
        worker = spawn(*command(self.pool), cwd=tmp_path)
        worker.wait_for_output("ready.")
        return worker

    @pytest.fixture
    def app(self):
        with Celery("green", set_as_current=False) as app:
            yield app

    def test_tasks_that_wait_run_side_by_side_each_with_its_own_request(self, worker, app):
        results = [app.send_task("nap", [1.0]) for _ in range(100)]
        # One after the other they would take 100 s.
        assert [result.get(timeout=30) for result in results] == [[True, True]] * 100
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0

    def test_a_warm_stop_lets_what_runs_end(self, worker, app):
        result = app.send_task("long", [1.0])
        worker.wait_for_output("long begins")

        worker.signal(signal.SIGTERM)

        assert worker.wait() == 0
        assert "long ends" in worker.output()
        assert result.get(timeout=5) is None

    def test_a_cold_stop_waits_for_nobody_and_loses_nothing(self, worker, app, spawn, tmp_path):
        result = app.send_task("long", [3.0])
        worker.wait_for_output("long begins")

        stopped_at = time.monotonic()
        worker.signal(signal.SIGQUIT)
        worker.wait()
        assert "long ends" not in worker.output()
        assert time.monotonic() - stopped_at < 20
        assert result.state not in states.READY_STATES

        # It was not acknowledged, so the next worker runs it.
        spawn(*command(self.pool), cwd=tmp_path).wait_for_output("long ends")
        assert result.get(timeout=10) is None

    def test_limits_are_kept(self, worker, app):
        assert app.send_task("limited").get(timeout=20) == "soft"
        with pytest.raises(TimeLimitExceeded):
            app.send_task("hard").get(timeout=20)

    def test_a_job_is_ended_at_the_word_of_remote_control(self, worker, app, wait_until):
        result = app.send_task("long", [60.0])
        worker.wait_for_output("long begins")

        result.revoke(terminate=True)

        wait_until(lambda: result.state == states.REVOKED)

    def test_a_program_that_is_not_patched_is_refused_with_the_remedy(self, spawn, tmp_path):
        call = f"\napp.worker_main(['worker', '-P', '{self.pool}'])\n"
        (tmp_path / "green.py").write_text(source(self.pool, self.more + call))
        worker = spawn(sys.executable, "green.py", cwd=tmp_path)
        assert worker.wait() == 1
        assert self.remedy in worker.output()
