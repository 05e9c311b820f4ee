"""Every command that talks to a broker, with a worker that runs, on SQLite and on Redis."""

from __future__ import annotations

import json
import sys
import uuid

import pytest

TASKS = """
from celeriac import Celery

app = Celery({name!r}, broker={url!r}, backend={url!r})
app.conf.task_default_queue = {name!r}
app.conf.broker_transport_options = {{"global_keyprefix": {name!r}}} if {url!r}.startswith("redis") else {{}}

@app.task(name="add")
def add(x, y):
    return x + y
"""


@pytest.fixture(params=["sqlite", "redis"])
def name(request, tmp_path):
    """The name of an app on each kind of broker; also that of its queue."""
    name = f"cli-{uuid.uuid4().hex}"
    url = f"sqlite:///{tmp_path}/queue.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    (tmp_path / "cli_tasks.py").write_text(TASKS.format(name=name, url=url))
    yield name
    if request.param == "redis":
        import redis

        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter(f"*{name}*"):
                client.delete(key)


@pytest.fixture
def run(spawn, name, tmp_path):
    """Return ``run(*words, code=0)``: the output of ``celeriac -A cli_tasks *words``, as data where it is JSON."""

    def call(*words, code=0):
        process = spawn(sys.executable, "-m", "celeriac", "-A", "cli_tasks", *words, cwd=tmp_path)
        assert process.wait(50) == code, process.output()
        output = process.output()
        return json.loads(output) if "--json" in words else output

    return call


@pytest.mark.slow
@pytest.mark.timeout(180)  # thirty processes, one after the other
def test_every_command_works_with_a_worker_in_both_forms(run, spawn, name, tmp_path, wait_until):
    node = f"w@{name}"
    command = ("-A", "cli_tasks", "worker", "-P", "solo", "-n", node, "-l", "INFO", "-f", "worker.log", "-E")
    worker = spawn(sys.executable, "-m", "celeriac", *command, cwd=tmp_path)
    log = tmp_path / "worker.log"
    wait_until(lambda: log.exists() and "ready." in log.read_text(), 30, "the worker is ready")

    # Calls and their results
    task_id = run("call", "add", "-a", "[2, 3]").strip()
    assert run("result", task_id, "--timeout", "30") == "5\n"
    found = run("result", task_id, "--json")
    assert (found["state"], found["result"]) == ("SUCCESS", 5)

    # Who is there, and what waits
    assert run("status", "-d", node, "-t", "20", "--json") == {node: {"ok": "pong"}}
    assert run("inspect", "ping", "-d", node, "-t", "20", "--json") == {node: {"ok": "pong"}}
    assert f"->  {node}: OK" in run("control", "enable_events", "-d", node, "-t", "20")
    [queue] = run("queues", name, "-t", "3", "--json")
    assert (queue["queue"], queue["exists"], queue["ready"], queue["workers"]) == (name, True, 0, 1)
    assert {"destination": name, "source": name, "routing_key": name} in run("list", "bindings", "--json")
    assert f'worker0 [label="{node} (1 at once)"' in run("graph", "workers", "-t", "3")
    assert run("dlq", "list", "--json") == {name: 0}
    assert run("report", "--json")["settings"]["task_default_queue"] == name
    findings = run("doctor", "-t", "3", "--json")
    assert {each["verdict"] for each in findings if each["subject"] != "clocks"} == {"ok"}, findings

    # What its log says
    assert run("logtool", "stats", "worker.log", "--json")["tasks"]["add"]["succeeded"] == 1

    # When it has gone, messages stay: they are copied, and removed
    run("control", "shutdown", "-d", node, "-t", "20")
    assert worker.wait() == 0
    run("call", "add", "--json")
    source = run("report", "--json")["settings"]["broker_url"]
    copied = run("migrate", source, "sqlite:///other.db", "-t", "0.1", "--json")
    assert copied == {"sent": {name: 1}, "passed_over": 0}
    assert run("purge", "-f", "--json") == {"removed": 1}
    assert run("status", "-t", "0.1", code=69).startswith("Error: No worker has answered")
