"""``celeriac inspect``, ``control`` and ``status``, as a person types them."""

from __future__ import annotations

import json
import sys

import pytest

TASKS = """
from celeriac import Celery
from celeriac.worker.control import inspect_command

app = Celery("proj", broker="sqlite:///queue.db", backend="sqlite:///queue.db")

@app.task(rate_limit="10/m")
def add(x, y):
    return x + y

@inspect_command(args=[("words", str)], variadic="words", signature="[word ...]")
def echo(state, words):
    \"\"\"Say it again.\"\"\"
    return words
"""


@pytest.fixture
def run(command_line, tmp_path, monkeypatch):
    """Return ``run(*words)``: exit code and output of ``celeriac -A remote_tasks *words``."""
    (tmp_path / "remote_tasks.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)

    def command(*words):
        code, output, errors = command_line("-A", "remote_tasks", *words)
        return code, output + errors

    yield command
    if (module := sys.modules.pop("remote_tasks", None)) is not None:
        module.app.close()


@pytest.fixture
def worker(run, spawn, tmp_path):
    command = (sys.executable, "-m", "celeriac", "-A", "remote_tasks", "worker", "-P", "solo", "-n", "one@host")
    command = (*command, "--statedb", "worker.state")
    worker = spawn(*command, "-l", "INFO", cwd=tmp_path)
    worker.wait_for_output("ready.")
    return worker


def revoked_in(path):
    return [task_id for task_id, _ in json.loads(path.read_text())["revoked"]]


@pytest.mark.covers(
    "cli.inspect", "cli.control", "cli.status", "cli.status.--json", "cli.inspect.--json", "cli.worker.--statedb"
)
def test_a_worker_is_asked_and_told(run, worker, tmp_path, wait_until):
    code, output = run("status", "-t", "10", "-d", "one@host")
    assert (code, output) == (0, "->  one@host: OK\n\n1 node online.\n")
    code, output = run("status", "--json", "-t", "10", "-d", "one@host")
    assert (code, json.loads(output)) == (0, {"one@host": {"ok": "pong"}})
    code, output = run("inspect", "-t", "10", "-d", "one@host", "registered")
    assert (code, output) == (0, "->  one@host: OK\n        * remote_tasks.add [rate_limit=10/m]\n")
    code, output = run("inspect", "-d", "one@host", "-t", "10", "active", "--json")
    assert (code, json.loads(output)) == (0, {"one@host": []})
    code, output = run("control", "-d", "one@host", "-t", "10", "rate_limit", "remote_tasks.add", "5/s")
    assert (code, output) == (0, "->  one@host: OK\n        new rate limit set successfully\n")
    code, output = run("control", "-d", "one@host", "-t", "10", "rate_limit", "remote_tasks.ad", "5/s")
    assert (code, output) == (1, "->  one@host: ERROR: unknown task\n")
    code, output = run("control", "-d", "one@host", "-t", "10", "revoke", "id-1", "id-2")
    assert code == 0
    code, output = run("inspect", "-d", "one@host", "-t", "10", "dump_revoked")
    assert output == "->  one@host: OK\n        * id-1\n        * id-2\n"
    # It is written once for all that a turn of the loop brings, behind the answer.
    wait_until(lambda: revoked_in(tmp_path / "worker.state") == ["id-1", "id-2"])
    code, output = run("inspect", "-d", "one@host", "-t", "10", "echo", "this", "that")
    assert output == "->  one@host: OK\n        * this\n        * that\n"
    code, output = run("-q", "control", "-d", "one@host", "-t", "10", "shutdown")
    assert (code, output) == (0, "->  one@host: OK\n")
    assert worker.wait() == 0


@pytest.mark.covers(
    "cli.status.--timeout", "cli.status.--destination", "cli.inspect.--timeout", "cli.inspect.--destination"
)
def test_where_nobody_answers_the_exit_code_is_that_of_a_service_that_is_not_there(run):
    code, output = run("status", "--timeout", "0.1")
    assert (code, output.count("\n")) == (69, 1)
    assert output.startswith("Error: No worker has answered; is one running, on the broker ")
    code, output = run("inspect", "ping", "-t", "0.1", "-d", "a@h,b@h")
    assert (code, output.partition(";")[0]) == (69, "Error: None of a@h, b@h has answered")


@pytest.mark.covers("cli.inspect.--list", "cli.control.--list", "cli.inspect.command", "cli.control.command")
def test_commands_are_listed_those_of_plugins_and_users_among_them(run):
    code, output = run("inspect", "--list")
    assert code == 0
    assert "  echo [word ...]" in output
    assert "  metrics " in output  # of a plugin
    assert "hello" not in output  # what workers ask each other
    code, output = run("control", "--list")
    assert "  pause_queue <queue>" in output
    assert "election" not in output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("inspect", "pingg"), "there is no command 'pingg' of `celeriac inspect`. Did you mean 'ping'?"),
        (("inspect", "shutdown"), "there is no command 'shutdown' of `celeriac inspect`."),
        (("control",), "which command? `celeriac control --list` shows them."),
        (("control", "rate_limit", "t"), "rate_limit needs rate_limit. Usage: rate_limit <task_name> <rate_limit"),
        (("inspect", "ping", "x"), "too many arguments: x. Usage: ping"),
        (("control", "pool_grow", "many"), "'many' is no n for pool_grow"),
        (("inspect", "conf", "perhaps"), "with_defaults of conf is true or false, not 'perhaps'"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(run, words, told):
    code, output = run(*words)
    assert code == 2
    assert f"Error: {told}" in output
    assert "Traceback" not in output
