"""Workers whose pool follows its load, on the embedded queue."""

from __future__ import annotations

import sys

import pytest

from celeriac import Celery

APP = """
import time
from celeriac import Celery
app = Celery("scaled", set_as_current=False)

@app.task(name="nap")
def nap(seconds):
    begun = time.monotonic()
    time.sleep(seconds)
    return begun, time.monotonic()
"""


def most_at_once(runs):
    """How many of the runs (begun, ended) overlap at most."""
    return max(sum(begun <= moment < ended for begun, ended in runs) for moment, _ in runs)


@pytest.mark.covers("settings.worker_autoscaler", "cli.worker.--autoscale")
@pytest.mark.parametrize(("pool", "multiplier"), [("prefork", "1"), ("threads", "4"), ("asyncio", "1")])
def test_a_worker_grows_with_its_queue_and_shrinks_when_that_is_empty(spawn, tmp_path, wait_until, pool, multiplier):
    (tmp_path / "scaled.py").write_text(APP)
    command = [
        sys.executable,
        "-m",
        "celeriac",
        "-A",
        "scaled",
        "worker",
        "-P",
        pool,
        "--autoscale",
        "4,1",
        "--prefetch-multiplier",
        multiplier,
    ]
    worker = spawn(*command, "-l", "INFO", cwd=tmp_path, env={"AUTOSCALE_KEEPALIVE": "0.5"})
    worker.wait_for_output("ready.")
    assert "1 at once" in worker.output()
    with Celery("scaled", set_as_current=False) as app:
        results = [app.send_task("nap", [0.7]) for _ in range(16)]
        runs = [result.get(timeout=40) for result in results]
    assert most_at_once(runs[:1]) == 1
    assert most_at_once(runs) == 4
    worker.wait_for_output("to 1\n")
    if pool == "prefork":
        wait_until(lambda: len(worker.session_pids()) == 2, message="one child is left")
    worker.signal(15)
    assert worker.wait() == 0


def test_a_pool_that_cannot_grow_is_refused(spawn, tmp_path):
    (tmp_path / "scaled.py").write_text(APP)
    command = [sys.executable, "-m", "celeriac", "-A", "scaled", "worker", "-P", "solo", "--autoscale", "4,1"]
    worker = spawn(*command, cwd=tmp_path)
    assert worker.wait() == 1
    assert "'solo' cannot" in worker.output()
