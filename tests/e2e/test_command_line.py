"""What every command prints, in both forms, with a worker that runs, on SQLite and on Redis."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import click
import pytest

from celeriac.cli.main import celeriac_command
from celeriac.cli.state import State

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

    def __init__(self, command_line, words, patterns=None):
        self.lines = []
        self._patterns = patterns or {}
        self._run = command_line
        self._words = words

    def title(self, text):
        self.lines.append(f"# {text}\n")

    def __call__(self, *arguments, code=0, keep=True):
        """Run a command, which ends with that code; gives what it printed, as data where that is JSON."""
        ended, output, errors = self._run("-A", "cli_tasks", *arguments)
        assert ended == code, output + errors
        if keep:
            said = output + errors
            self.note(arguments, said if code == 0 else f"{said}(exit code {code})\n")
        if "--json" in arguments:
            with suppress(ValueError):
                return json.loads(output)
        return output

    def note(self, arguments, said):
        """Note what a command has said."""
        self.lines.append(self._masked(f"$ celeriac -A cli_tasks {shlex.join(arguments)}\n{said}"))

    def both(self, *arguments, **options):
        """Run a command in both forms; what the second has printed, as data."""
        self(*arguments, **options)
        return self(*arguments, "--json", **options)

    def _masked(self, text):
        for word, mask in self._words.items():
            text = text.replace(word, mask)
        for pattern, mask in self._patterns.items():
            text = re.sub(pattern, mask, text, flags=re.MULTILINE)
        text = re.sub(r'(pid |delivery_tag"?: )"?[\w-]+"?', r"\1N", text)
        text = re.sub(r'((pid|clock|runtime)"?(=|: ))[\d.e-]+', r"\1N", text)
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d)?", "TIME", text)
        return re.sub(r"\b\d+\.\d+(?=[ ,}\]]|$)(?! s;)", "N", text, flags=re.MULTILINE)


@pytest.fixture(params=["sqlite", "redis"])
def place(request, tmp_path, monkeypatch):
    """An app on each kind of broker, in the current directory: its kind, name (also of its queue), and URL."""
    url = f"sqlite:///{tmp_path}/queue.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    yield from an_app_on(request.param, url, tmp_path, monkeypatch)


def an_app_on(kind, url, directory, monkeypatch):
    name = f"cli-{uuid.uuid4().hex}"
    (directory / "cli_tasks.py").write_text(TASKS.format(name=name, url=url))
    (directory / "sample.log").write_text(LOG)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("COLUMNS", "80")
    yield kind, name, url
    app = sys.modules.pop("cli_tasks").app
    if kind == "redis":
        import redis

        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter(f"*{name}*", count=1000):
                client.delete(key)
    app.close()


#: Commands that run until they are ended, or are typed to, and print nothing that a program would read.
INTERACTIVE = {"amqp", "amqp repl", "beat", "shell", "worker"}


def below(command, context, path=()):
    """The path of each command that `--help` shows and that can be called, and the command."""
    if command.hidden:
        return
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            yield from below(found, click.Context(found, info_name=name, parent=context), (*path, name))
    if path and (not isinstance(command, click.Group) or command.invoke_without_command):
        yield " ".join(path), command


COMMANDS = dict(below(celeriac_command, click.Context(celeriac_command, obj=State())))


# What `multi` takes is no option of click's, and in its golden files.
@pytest.mark.parametrize("path", sorted(COMMANDS.keys() - {"multi"}))
def test_each_command_that_prints_data_prints_json(path):
    options = [param.opts for param in COMMANDS[path].params if param.name == "as_json"]
    assert options == ([] if path in INTERACTIVE else [["-j", "--json"]])


@pytest.mark.parametrize("path", sorted(COMMANDS.keys() - INTERACTIVE))
def test_the_output_of_each_command_is_in_a_golden_file_in_both_forms(path):
    text = "\n".join(file.read_text() for file in GOLDEN.glob("commands-*.txt"))
    calls = re.findall(rf"^\$ celeriac -A cli_tasks {re.escape(path)}(?= |$).*", text, flags=re.MULTILINE)
    assert [call for call in calls if "--json" not in call]
    assert [call for call in calls if "--json" in call]


@pytest.mark.slow
def test_commands_that_need_no_worker_print_what_they_have_found_and_done_in_both_forms(
    place_on_sqlite, command_line, golden, tmp_path
):
    _, name, url = place_on_sqlite
    host = os.uname().nodename
    sites = {str(path): "SITE" for path in map(Path, sys.path) if path.name == "site-packages"}
    words = {url: "URL", str(tmp_path): "HERE", name: "NAME", sys.executable: "PYTHON", f"@{host}": "@HOST"}
    fact = r"(celeriac|kombu|python|system|celery|\w+ library)"
    say = Session(
        command_line,
        {**words, **sites},
        {
            r"(celeriac(-\w+)?) \d+\.\d+\.\d+( *)": r"\1 VERSION\3",
            r'("version": )"[^"]+"': r'\1"VERSION"',
            f"^{fact}: .*": r"\1: IT",
            f'("{fact}": )"[^"]*"': r'\1"IT"',
            r"in \d+ ms": "in N ms",
            r"\d+ distributions": "N distributions",
        },
    )

    say.title("Plugins")
    for words in (("plugins", "--quick"), ("plugins", "list", "--quick")):  # of all that there are, one
        text = say(*words, keep=False)
        say.note(words, re.search(r"^celeriac-solar .*?(?=^celeriac-)", text, re.MULTILINE | re.DOTALL)[0])
        [found] = [each for each in say(*words, "--json", keep=False) if each["distribution"] == "celeriac-solar"]
        say.note((*words, "--json"), f"{json.dumps(found)}\n")
    say.both("plugins", "show", "sqlite")
    say.both("plugins", "check", "memory", "--only", "purge")
    say.both("plugins", "hooks", "cli_options")
    say("plugins", "new", "broker", "acme", "--directory", "one")
    say("plugins", "new", "broker", "acme", "--directory", "two", "--json")
    say("plugins", "show", "sqlte", code=1)

    say.title("A project, and what is wrong with one")
    say("init", "shop")
    say("init", "shop", "--directory", "other", "--json")
    for directory, form in (("a", ()), ("b", ("--json",))):
        (tmp_path / f"{directory}.py").write_text("BROKER_URL = 'x'\nCELERY_TIMEZONE = 'UTC'\n")
        say("upgrade", "settings", f"{directory}.py", *form)
    say.both("doctor", "-t", "0.5")
    say.both("report")

    say.title("Bootsteps")
    say.both("graph", "bootsteps", "consumer")

    say.title("Several workers")
    files = ("--pidfile=%n.pid", "--logfile=%n.log")
    for command in (("show", "1", "-c:1", "4"), ("names", "2"), ("expand", "%n", "2"), ("get", "celery1", "1", "-E")):
        say.both("multi", *command, *files)
    for command in ("stop", "stopwait", "kill"):
        say.both("multi", command, "1", *files)
    for command in ("start", "restart"):
        say.both("multi", command, "1", *files, "--executable=/bin/false", code=1)

    say.title("A broker by hand")
    for command in (
        ("exchange.declare", "news", "direct"),
        ("queue.declare", "mine"),
        ("queue.bind", "mine", "news", "key"),
        ("queue.delete", "mine"),
        ("exchange.delete", "news"),
    ):
        say.both("amqp", *command)
    say.both("amqp", "basic.ack", "1", code=1)

    golden(GOLDEN / "commands-local.txt", "\n".join(say.lines))


@pytest.fixture
def place_on_sqlite(tmp_path, monkeypatch):
    """The same as `place` on SQLite."""
    yield from an_app_on("sqlite", f"sqlite:///{tmp_path}/queue.db", tmp_path, monkeypatch)


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
def test_every_command_prints_what_it_has_found_and_done_in_both_forms(
    place, worker, command_line, golden, tmp_path, spawn
):
    kind, name, url = place
    process, node = worker
    say = Session(command_line, {url: "URL", str(tmp_path): "HERE", name: "NAME"})
    both = say.both
    asked = ("-d", node, "-t", "10")

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
    drawn = both("graph", "workers", "-t", "10")
    assert drawn["workers"] == [{"node": node, "concurrency": 1, "queues": [name]}]
    say("queues", name, "-t", "10")
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
    assert say("beat", "schedule", "add", "other", "add", "--every", "60", "--json") == {"added": "other"}
    assert say("beat", "schedule", "remove", "other", "--json") == {"removed": "other"}
    say("beat", "schedule", "remove", "digest")
    both("beat", "schedule", "remove", "digest", code=1)

    say.title("Logs")
    for command in ("stats", "errors", "traces", "incomplete", "debug"):
        both("logtool", command, "sample.log")
    assert say("logtool", "stats", "worker.log", "--json", keep=False)["tasks"]["add"]["succeeded"] >= 2

    say.title("Events of one task")
    told = {}
    for words in (("events", "--dump"), ("events", "--dump", "--json")):
        told[words] = spawn(sys.executable, "-m", "celeriac", "-A", "cli_tasks", *words, cwd=tmp_path)
        told[words].wait_for_output("worker-heartbeat")
    sent = say("call", "add", "-a", "[2, 3]", keep=False).strip()
    for words, process_of_events in told.items():
        process_of_events.wait_for_output("task-succeeded")
        process_of_events.signal(signal.SIGTERM)
        assert process_of_events.wait() == 0
        say.note(words, "".join(f"{line}\n" for line in process_of_events.output().splitlines() if sent in line))

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
