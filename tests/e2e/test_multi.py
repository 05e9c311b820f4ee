"""``celeriac multi`` and `celeriac.apps.multi`: real workers in the background, from their start to their end."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from celeriac.apps.multi import Cluster, Node

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
    assert f"w1@{HOST}: FAILED with exit code 1\n\t    runs already, as process {first['w1']}" in output

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


@pytest.mark.covers("cli.multi")
def test_a_program_starts_restarts_and_stops_a_cluster(multi, tmp_path, monkeypatch):
    # Given a cluster of two nodes
    monkeypatch.chdir(tmp_path)
    files = {option: f"{tmp_path}/{value}" for option, value in (word.split("=") for word in FILES)}
    options = {"-A": "multi_tasks", "-P": "solo", **files}
    told = []

    def teller(event):
        return lambda node, *what: told.append((event, node.name, *what))

    names = ("on_node_start", "on_node_restart", "on_node_status", "on_send_signal", "on_node_shutdown_ok")
    callbacks = {name: teller(name) for name in (*names, "on_node_down", "on_node_signal", "on_node_signal_dead")}
    cluster = Cluster([Node("a@h", options=options), Node("b@h", options=options)], **callbacks)

    # When it is started, then both run, as their pid files say
    assert cluster.start() == [0, 0]
    first = pids(tmp_path)
    assert {node.name: node.pid for node in cluster} == {"a@h": first["a"], "b@h": first["b"]}
    assert all(node.alive() for node in cluster)
    assert told == [
        (event, name, *what) for name in ("a@h", "b@h") for event, *what in (("on_node_start",), ("on_node_status", 0))
    ]

    # And none is started twice
    assert cluster[0].start() == 1
    assert cluster[0].output == f"runs already, as process {first['a']} ({tmp_path}/run/a.pid)"

    # When one is killed and all are restarted, then both run anew
    told.clear()
    assert cluster.find("b@h").send(signal.SIGKILL)
    assert cluster.restart() == [0, 0]
    second = pids(tmp_path)
    assert (second["a"] != first["a"], second["b"] != first["b"]) == (True, True)
    assert told[:3] == [("on_send_signal", "a@h", "TERM"), ("on_node_down", "b@h"), ("on_node_shutdown_ok", "a@h")]
    assert told[3:6] == [("on_node_restart", "a@h"), ("on_node_start", "a@h"), ("on_node_status", "a@h", 0)]

    # When they are killed, then there is nobody left to tell
    told.clear()
    cluster.kill()
    assert pids(tmp_path) == {}
    assert told == [("on_node_signal", "a@h", "KILL"), ("on_node_signal", "b@h", "KILL")]
    cluster.send_all(signal.SIGTERM)
    assert told[2:] == [("on_node_signal_dead", "a@h"), ("on_node_signal_dead", "b@h")]
    assert list(cluster.getpids()) == []
    gone = []
    cluster.stopwait(callback=gone.append)
    assert gone == list(cluster)


def test_a_node_that_cannot_start_tells_why_by_code_and_in_words(multi, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed = []
    node = Node("one@h", options={"-A": "no_such_module", "--pidfile": "one.pid", "--logfile": "one.log"})

    code = node.start(on_failure=lambda node, code: failed.append((node.name, code)))

    assert (code, failed) == (1, [("one@h", 1)])
    assert "cannot find the app 'no_such_module'" in node.output


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
