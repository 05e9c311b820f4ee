"""``celeriac init`` and ``doctor``: a project is written, works, and is examined."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
import time

import pytest


@pytest.fixture
def run(spawn, tmp_path):
    """Return ``run(*words, cwd=None)``: exit code and output of ``celeriac *words``."""

    def call(*words, cwd=None):
        process = spawn(sys.executable, "-m", "celeriac", *words, cwd=cwd or tmp_path)
        return process.wait(50), process.output()

    return call


@pytest.fixture
def project(run, tmp_path):
    code, output = run("init", "shop")
    assert code == 0, output
    return tmp_path / "shop"


@pytest.fixture
def start_at(spawn):
    """Return ``start_at(directory, *nodes)``: workers of the project there, once they are ready."""

    def start(directory, *nodes):
        command = (sys.executable, "-m", "celeriac", "-A", "shop", "worker", "-P", "solo", "-l", "INFO", "-n")
        for worker in [spawn(*command, node, cwd=directory) for node in nodes]:
            worker.wait_for_output("ready.")

    return start


def test_the_tests_of_a_new_project_pass(spawn, project):
    tests = spawn(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)

    assert tests.wait(50) == 0, tests.output()
    assert "2 passed" in tests.output()


def test_a_directory_that_has_something_in_it_stays_as_it_is(run, project):
    code, output = run("init", "shop")
    assert code == 1
    assert "shop is not empty; name another with --directory" in output
    code, output = run("init", "my-shop")
    assert (code, "cannot be the name of a package" in output) == (2, True)


def test_a_healthy_project_is_found_well(run, project, start_at):
    start_at(project, "w@h")

    code, output = run("-A", "shop", "doctor", "--json", "-t", "3", cwd=project)

    found = {each["subject"]: each for each in json.loads(output)}
    assert code == 0, output
    for subject in ("configuration", "plugins", "broker", "result store", "queue celery", "dead letters", "workers"):
        assert found[subject]["verdict"] == "ok", found[subject]
    assert found["workers"]["text"] == "1 online: w@h"
    assert "that of w@h agrees within" in found["clocks"]["text"]
    assert found["health of sqlite"]["verdict"] == "ok"


def test_what_is_wrong_is_said_with_what_to_do(run, project):
    # Given a misspelt setting, a broker that is not there, and no worker
    config = project / "shop" / "celeryconfig.py"
    config.write_text(config.read_text() + '\ntask_ack_late = True\nbroker_url = "redis://127.0.0.1:1/0"\n')

    code, output = run("-A", "shop", "doctor", "-t", "0.5", cwd=project)

    assert code == 1
    assert "WARN  configuration: there is no setting 'task_ack_late'; did you mean 'task_acks_late'?" in output
    assert "FAIL  broker: redis://127.0.0.1:1/0: " in output
    assert "      -> start it, or correct broker_url" in output
    assert "Traceback" not in output


def test_messages_that_nobody_holds_are_found(run, project, spawn):
    # Given a message that a process has claimed, which hangs
    holder = spawn(
        sys.executable,
        "-c",
        "from shop.tasks import greet; from shop import app; greet.delay('x'); greet.delay('y')\n"
        "c = app.connection_for_read(); q = app.amqp.queues['celery'](c.default_channel)\n"
        "m = q.get(); print('held', flush=True); import time; time.sleep(50)",
        cwd=project,
    )
    holder.wait_for_output("held")

    code, output = run("-A", "shop", "doctor", "-t", "0.5", cwd=project)

    assert code == 0
    assert "WARN  unsettled messages: 1 are claimed, and the workers that answer hold 0" in output
    assert "WARN  workers: none has answered" in output
    assert "queue celery: 1 ready" in output


def test_it_waits_for_nobody_who_is_not_there_and_no_longer_than_for_the_last_who_is(
    command_line, project, monkeypatch, start_at
):
    monkeypatch.chdir(project)

    # Given nobody, then it has looked at all of that at once
    begin = time.monotonic()
    code, output, _ = command_line("-A", "shop", "doctor", "-t", "30")
    assert (code, "workers: none has answered" in output) == (0, True)
    assert time.monotonic() - begin < 20

    # Given two workers, then also
    start_at(project, "one@h", "two@h")
    begin = time.monotonic()
    code, output, _ = command_line("-A", "shop", "doctor", "-t", "30")
    assert (code, "workers: 2 online: one@h, two@h" in output) == (0, True)
    assert output.count("ok    clocks: that of ") == 2
    assert time.monotonic() - begin < 20


def test_on_a_terminal_it_says_what_it_looks_at(project):
    # When it runs on a terminal
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "celeriac", "-A", "shop", "doctor", "-t", "0.5"]
    with subprocess.Popen(command, cwd=project, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while read := os.read(leader, 4096):
                shown += read
        assert process.wait(40) == 0
    os.close(leader)

    # Then each thing is named while it is looked at, and wiped before what was found is printed
    text = shown.decode()
    assert "\r\x1b[2Klooking at: broker...\r\x1b[2K" in text
    assert text.index("looking at: workers...") < text.index("workers: none has answered")
    assert "looking at" not in re.sub(r"\x1b\[2Klooking at: [\w ]+\.\.\.(?=\r\x1b\[2K)", "", text)
