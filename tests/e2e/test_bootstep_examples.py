"""The programs of examples/bootsteps do what their README says, in real workers."""

from __future__ import annotations

import importlib
import json
import re
import signal
import sys
import time
import urllib.error
import urllib.request

import pytest


@pytest.fixture
def example(pytestconfig, spawn, monkeypatch):
    """Return ``example(name, *options)``: a worker of the example, ready."""
    place = pytestconfig.rootpath / "examples" / "bootsteps"
    # Its tasks and steps must be found from here, too.
    monkeypatch.syspath_prepend(place)

    def start(name, *options):
        command = [sys.executable, "-m", "celeriac", "-A", name, "worker", "-l", "INFO", "-P", "threads", "-c", "2"]
        worker = spawn(*command, *options, cwd=place)
        worker.wait_for_output("ready.")
        return worker

    return start


def test_the_health_file_is_fresh_while_the_loop_turns_and_gone_with_the_worker(example, tmp_path, wait_until):
    # Given a worker with a health file
    alive = tmp_path / "alive"
    worker = example("health_file", "--health-file", str(alive))
    first = float(alive.read_text())
    assert abs(first - time.time()) < 10

    # When a while has passed, then the file is newer
    wait_until(lambda: float(alive.read_text()) > first, message="the file is written again")

    # And when the worker stops, it is gone
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert not alive.exists()


def test_an_option_that_nobody_uses_leaves_its_step_out(example, tmp_path):
    worker = example("health_file")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert list(tmp_path.glob("alive*")) == []


def test_the_http_endpoint_tells_how_the_worker_is_until_it_ends(example):
    worker = example("http_endpoint", "--http", "127.0.0.1:0")
    address = re.search(r"serving (http://\S+)", worker.wait_for_output("serving http://")).group(1)
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.status == 200
        state = json.load(answer)
    assert state["claiming"] is True
    assert state["hostname"].startswith("celery@")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=10)


def test_foreign_messages_become_tasks(example, spawn, pytestconfig):
    worker = example("foreign_messages")
    sender = spawn(sys.executable, pytestconfig.rootpath / "examples" / "bootsteps" / "foreign_messages.py")
    assert sender.wait() == 0, sender.output()
    for number in range(3):
        worker.wait_for_output(f"order {number} goes to {number} Main Street")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_the_deadlock_detector_ends_a_worker_in_which_nothing_moves_and_loses_nothing(example, tmp_path, monkeypatch):
    # Given a worker whose children all wait for something that does not come
    options = ("-P", "prefork", "-c", "2", "--deadlock-timeout", "2")
    worker = example("deadlock_detector", *options)
    monkeypatch.delitem(sys.modules, "deadlock_detector", raising=False)
    module = importlib.import_module("deadlock_detector")
    gate = tmp_path / "gate"
    with module.app:
        results = [module.wait_for.delay(str(gate)) for _ in range(2)]

        # When nothing has moved for two seconds, then the worker says which processes those are, and ends
        output = worker.wait_for_output("has been at one task for")
        assert worker.wait() != 0
        assert output.count("has been at one task for") >= 2

        # And the messages are there for the next one
        gate.touch()
        second = example("deadlock_detector", "-P", "prefork", "-c", "2")
        assert [result.get(timeout=20) for result in results] == [None, None]
        second.signal(signal.SIGTERM)
        assert second.wait() == 0
