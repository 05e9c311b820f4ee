"""What every command prints, in both forms, with a worker that runs, on SQLite and on Redis."""

from __future__ import annotations

import json
import re
import shlex
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
TASKS = """
from celeriac import Celery

app = Celery({name!r}, broker={url!r}, backend={url!r})
app.conf.task_default_queue = {name!r}
app.conf.broker_transport_options = {{"global_keyprefix": {name!r}}} if {url!r}.startswith("redis") else {{}}
app.conf.beat_schedule = {{"hourly": {{"task": "add", "schedule": 3600, "args": [1, 2]}}}}

@app.task(name="add")
def add(x, y):
    return x + y

@app.task(name="fail")
def fail():
    raise ValueError("no")
"""
LOG = """\
[2026-01-02 03:04:05,678: INFO/MainProcess] Task add[5d0c2f6e-0000-4000-8000-000000000001] received
[2026-01-02 03:04:05,679: INFO/MainProcess] Task fail[5d0c2f6e-0000-4000-8000-000000000002] received
[2026-01-02 03:04:06,678: INFO/MainProcess] Task add[5d0c2f6e-0000-4000-8000-000000000001] succeeded in 0.999s: 3
[2026-01-02 03:04:06,679: ERROR/MainProcess] Something else went wrong
Traceback (most recent call last):
  File "x.py", line 1, in <module>
ValueError: no
[2026-01-02 03:04:06,680: WARNING/MainProcess] a word in between
"""


class Session:
    """Commands and what they print, with what differs from run to run replaced by a word."""

    def __init__(self, command_line, words):
        self.lines = []
        self._run = command_line
        self._words = words

    def title(self, text):
        self.lines.append(f"# {text}\n")

    def __call__(self, *arguments, code=0, keep=True):
        """Run a command, which ends with that code; gives what it printed, as data where that is JSON."""
        ended, output, errors = self._run("-A", "cli_tasks", *arguments)
        assert ended == code, output + errors
        if keep:
            said = f"$ celeriac -A cli_tasks {shlex.join(arguments)}\n{output}{errors}"
            self.lines.append(self._masked(said if code == 0 else f"{said}(exit code {code})\n"))
        if "--json" in arguments:
            with suppress(ValueError):
                return json.loads(output)
        return output

    def _masked(self, text):
        for word, mask in self._words.items():
            text = text.replace(word, mask)
        text = re.sub(r'(pid |delivery_tag"?: )"?[\w-]+"?', r"\1N", text)
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d)?", "TIME", text)
        return re.sub(r"\b\d+\.\d+(?=[ ,}\]]|$)(?! s;)", "N", text, flags=re.MULTILINE)


@pytest.fixture(params=["sqlite", "redis"])
def place(request, tmp_path, monkeypatch, leave_nothing):
    """An app on each kind of broker, in the current directory: its kind, name (also of its queue), and URL."""
    name = f"cli-{uuid.uuid4().hex}"
    url = f"sqlite:///{tmp_path}/queue.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    (tmp_path / "cli_tasks.py").write_text(TASKS.format(name=name, url=url))
    (tmp_path / "sample.log").write_text(LOG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    yield request.param, name, url
    app = sys.modules.pop("cli_tasks").app
    if request.param == "redis":
        import redis

        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter(f"*{name}*", count=1000):
                client.delete(key)
    app.close()


@pytest.fixture
def worker(spawn, place, tmp_path, wait_until):
    """A worker of that app, and the name of its node."""
    node = f"w@{place[1]}"
    command = ("-A", "cli_tasks", "worker", "-P", "solo", "-n", node, "-l", "INFO", "-f", "worker.log", "-E")
    process = spawn(sys.executable, "-m", "celeriac", *command, cwd=tmp_path)
    log = tmp_path / "worker.log"
    wait_until(lambda: log.exists() and "ready." in log.read_text(), 30, "the worker is ready")
    return process, node


@pytest.mark.slow
def test_every_command_prints_what_it_has_found_and_done_in_both_forms(place, worker, command_line, golden, tmp_path):
    kind, name, url = place
    process, node = worker
    say = Session(command_line, {url: "URL", str(tmp_path): "HERE", name: "NAME"})
    asked = ("-d", node, "-t", "10")

    def both(*arguments, **options):
        say(*arguments, **options)
        return say(*arguments, "--json", **options)

    say.title("Calls and their results")
    task_id = both("call", "add", "-a", "[2, 3]")["id"]
    found = both("result", task_id, "--timeout", "30")
    assert (found["state"], found["result"]) == ("SUCCESS", 5)
    failed = say("call", "fail").strip()
    say("result", failed, "--timeout", "30")
    assert say("result", failed, "--json", keep=False)["result"] == "ValueError('no')"
    assert "Traceback (most recent" in say("result", failed, "--traceback", keep=False)

    say.title("Who is there, and what they know")
    assert both("status", *asked) == {node: {"ok": "pong"}}
    for question in ("ping", "active", "reserved", "scheduled", "revoked", "registered", "active_queues"):
        both("inspect", question, *asked)
    both("control", "rate_limit", "add", "5/s", *asked)
    both("control", "enable_events", *asked)
    both("control", "rate_limit", "none", "5/s", *asked, code=1)
    say("graph", "workers", "-t", "10")
    [queue] = say("queues", name, "-t", "10", "--json")
    assert (queue["queue"], queue["exists"], queue["ready"], queue["workers"]) == (name, True, 0, 1)
    assert {"destination": name, "source": name, "routing_key": name} in both("list", "bindings")
    findings = say("doctor", "-t", "10", "--json", keep=False)
    assert {each["verdict"] for each in findings if each["subject"] != "clocks"} == {"ok"}, findings
    assert say("report", "--json", keep=False)["settings"]["task_default_queue"] == name

    say.title("The schedule")
    both("beat", "schedule", "list")
    both("beat", "schedule", "add", "digest", "add", "-a", "[1, 2]", "--crontab", "0 9 * * mon-fri", "--tz", "UTC")
    say("beat", "schedule", "add", "wrong", "add", "--every", "60")
    say("beat", "schedule", "run-now", "wrong", code=1)
    say("beat", "schedule", "remove", "wrong")
    both("beat", "schedule", "pause", "digest")
    both("beat", "schedule", "list")
    both("beat", "schedule", "resume", "digest")
    sent = [say("beat", "schedule", "run-now", "digest").strip()]
    sent.append(say("beat", "schedule", "run-now", "digest", "--json")["id"])
    for each in sent:  # so that nothing of them waits when messages are counted
        assert say("result", each, "--timeout", "30", keep=False) == "3\n"
    say("beat", "schedule", "remove", "digest")
    both("beat", "schedule", "remove", "digest", code=1)

    say.title("Logs")
    for command in ("stats", "errors", "traces", "incomplete", "debug"):
        both("logtool", command, "sample.log")
    assert say("logtool", "stats", "worker.log", "--json", keep=False)["tasks"]["add"]["succeeded"] >= 2

    say.title("When the worker has gone, messages stay")
    say("control", "shutdown", *asked)
    assert process.wait() == 0
    both("call", "add", "-a", "[1, 2]")
    both("queues", name, "-t", "0")
    assert both("migrate", url, "sqlite:///other.db", "-t", "0.1") == {"sent": {name: 2}, "passed_over": 0}
    both("purge", "-f")
    both("amqp", "queue.declare", name, "false", "true")
    both("amqp", "basic.publish", "hello", "", name)
    both("amqp", "basic.get", name)
    both("amqp", "queue.purge", name)
    say("status", "-t", "0.1", code=69)

    say.title("Dead letters")
    both("dlq", "list")
    both("dlq", "show", name)
    both("dlq", "requeue", name, "--all")
    both("dlq", "purge", name, "--all", "-f")

    golden(GOLDEN / f"commands-{kind}.txt", "\n".join(say.lines))
