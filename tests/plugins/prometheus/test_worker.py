"""The metrics of a real worker."""

from __future__ import annotations

import re
import sys
import urllib.request

import pytest

TASKS = """
from celeriac import Celery

app = Celery("proj", broker="sqlite:///queue.db", backend="sqlite:///queue.db")
app.conf.prometheus_depth_interval = 0.2

@app.task(name="proj.add")
def add(x, y):
    return x + y

@app.task(name="proj.fail")
def fail():
    raise ValueError("no")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_a_worker_serves_what_its_tasks_did(project, spawn, wait_until, pool):
    worker = spawn(
        sys.executable, "-m", "celeriac", "-A", "tasks", "worker", "-P", pool, "-c", "2", "-l", "INFO",
        "--metrics-address", "127.0.0.1:0", cwd=project,
    )  # fmt: skip
    output = worker.wait_for_output("ready.")
    url = re.search(r"Metrics for Prometheus at (http://127\.0\.0\.1:\d+/metrics)", output)[1]

    def page():
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    # Before anything has run, each task has its series
    first = page()
    assert 'celeriac_task_outcomes_total{outcome="failure",task="proj.fail"} 0.0' in first
    assert "celeriac_worker_up{" in first
    assert 'celeriac_queue_depth{queue="celery"} 0.0' in first

    call = (
        "import tasks\n"
        "results = [tasks.add.delay(n, 1) for n in range(3)]\n"
        "failed = tasks.fail.delay()\n"
        "tasks.app.send_task('proj.unknown')\n"
        "assert [result.get(timeout=20) for result in results] == [1, 2, 3]\n"
        "failed.get(timeout=20, propagate=False)\n"
    )
    caller = spawn(sys.executable, "-c", call, cwd=project)
    assert caller.wait(40) == 0, caller.output()
    for line in [
        'celeriac_task_outcomes_total{outcome="success",task="proj.add"} 3.0',
        'celeriac_task_outcomes_total{outcome="failure",task="proj.fail"} 1.0',
        'celeriac_task_outcomes_total{outcome="unknown-task",task="(unknown)"} 1.0',
        'celeriac_task_runtime_seconds_count{task="proj.add"} 3.0',
        'celeriac_queue_outcomes_total{outcome="success",queue="celery"} 3.0',
        "celeriac_jobs_running 0.0",
        'celeriac_dead_letters{queue="celery"} 1.0',
    ]:
        wait_until(lambda line=line: line in page(), message=line)

    worker.signal(15)
    assert worker.wait() == 0
    assert worker.session_pids() == []


def test_a_worker_whose_address_is_wrong_does_not_start(project, spawn):
    worker = spawn(
        sys.executable, "-m", "celeriac", "-A", "tasks", "worker", "-P", "solo", "--metrics-address", "nowhere",
        cwd=project,
    )  # fmt: skip
    assert worker.wait() != 0
    assert "must be HOST:PORT" in worker.output()
    assert "Traceback" not in worker.output()
