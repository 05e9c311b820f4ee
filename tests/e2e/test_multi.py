"""``celeriac multi``: real workers in the background, from their start to their end."""

from __future__ import annotations

import os
import signal
import sys

import pytest

TASKS = """
from celeriac import Celery

app = Celery("proj", broker="sqlite:///queue.db", backend="sqlite:///queue.db")
app.conf.worker_hijack_root_logger = False

@app.task
def add(x, y):
    return x + y
"""
HOST = os.uname().nodename
FILES = ("--pidfile=run/%n.pid", "--logfile=log/%n.log")


@pytest.fixture
def multi(spawn, tmp_path):
    """Return ``multi(*words)``: exit code and output; workers that are left are killed."""
    (tmp_path / "multi_tasks.py").write_text(TASKS)

    def call(*words):
        process = spawn(sys.executable, "-m", "celeriac", "multi", *words, *FILES, cwd=tmp_path)
        return process.wait(45), process.output()

    yield call
    for pid in pids(tmp_path).values():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def pids(directory):
    return {path.stem: int(path.read_text()) for path in (directory / "run").glob("*.pid")}


@pytest.mark.covers("cli.multi")
def test_workers_are_started_restarted_and_stopped(multi, spawn, tmp_path):
    # When two are started, then both are there
    start = ("2", "-A", "multi_tasks", "-P", "solo", "-l", "INFO", "--range-prefix=w")
    code, output = multi("start", *start)
    assert (code, output) == (0, f"> Starting nodes...\n\t> w1@{HOST}: OK\n\t> w2@{HOST}: OK\n")
    first = pids(tmp_path)
    assert sorted(first) == ["w1", "w2"]

    # And run tasks
    call = spawn(sys.executable, "-c", "from multi_tasks import add; print(add.delay(2, 3).get(timeout=30))")
    assert (call.wait(40), call.output()) == (0, "5\n")

    # And are not started twice
    code, output = multi("start", *start)
    assert code == 1
    assert f"w1@{HOST}: runs already, as process {first['w1']}" in output

    # When one is restarted, then it is another process
    code, output = multi("restart", "w1", "-A", "multi_tasks", "-P", "solo", "-l", "INFO")
    assert code == 0, output
    assert f"TERM -> {first['w1']}" in output
    second = pids(tmp_path)
    assert (second["w1"] == first["w1"], second["w2"] == first["w2"]) == (False, True)

    # When all are stopped, then nothing is left
    code, output = multi("stopwait", "2", "--range-prefix=w")
    assert code == 0
    assert "> Waiting for 2 nodes..." in output
    assert pids(tmp_path) == {}
    assert multi("stop", "w1")[1] == f"> Stopping nodes...\n\t> w1@{HOST}: DOWN\n"


@pytest.mark.covers("cli.multi")
def test_a_worker_that_cannot_start_says_why(multi):
    code, output = multi("start", "one", "-A", "no_such_module")

    assert code == 1
    assert f"one@{HOST}: FAILED with exit code 1" in output
    assert "cannot find the app 'no_such_module'" in output


@pytest.mark.covers("cli.multi")
def test_a_worker_is_killed_and_its_pid_file_goes(multi, tmp_path, wait_until):
    assert multi("start", "one", "-A", "multi_tasks", "-P", "solo")[0] == 0
    pid = pids(tmp_path)["one"]

    code, output = multi("kill", "one")

    assert (code, output) == (0, f"> Stopping nodes...\n\t> one@{HOST}: KILL -> {pid}\n")
    assert pids(tmp_path) == {}
    wait_until(lambda: not is_running(pid), message="the worker is dead")


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
