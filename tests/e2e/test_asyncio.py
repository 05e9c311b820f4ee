"""Coroutine tasks by the hundred, in a worker with two event loops, on the embedded queue."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from celeriac import chain, chord, group

HERE = Path(__file__).parent


@pytest.fixture
def worker(spawn):
    """Return a function that starts a worker with two children for so many coroutines."""

    def start(concurrency):
        command = [sys.executable, "-m", "celeriac", "-A", "asyncio_app", "worker", "-P", "asyncio"]
        command += ["-c", str(concurrency), "-l", "INFO"]
        worker = spawn(*command, cwd=HERE, env={"CELERY_WORKER_ASYNCIO_CHILDREN": "2"})
        worker.wait_for_output("ready.")
        return worker

    return start


@pytest.fixture
def tasks(monkeypatch):
    """The module of the tasks, with an app that knows this test's queue."""
    spec = importlib.util.spec_from_file_location("asyncio_app", HERE / "asyncio_app.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "asyncio_app", module)
    spec.loader.exec_module(module)
    with module.app:
        yield module


def test_a_thousand_coroutines_that_sleep_a_second_take_little_more_than_one(tasks, worker):
    worker(1000)
    tasks.add.delay(1, 1).get(timeout=20)
    results = group(tasks.nap.s(1.0) for _ in range(1000)).apply_async()
    runs = results.get(timeout=30)
    begun, ended = min(run[0] for run in runs), max(run[1] for run in runs)
    assert len({run[2] for run in runs}) == 2
    assert ended - begun < 2.5


def test_coroutines_and_plain_functions_each_know_their_own_request(tasks, worker):
    worker(50)
    awaited = [tasks.who.delay() for _ in range(50)]
    plain = [tasks.plain.delay(n) for n in range(10)]
    assert all(result.get(timeout=20) for result in awaited)
    assert [result.get(timeout=20) for result in plain] == [[n, False, tasks.plain.name] for n in range(10)]


def test_limits_retries_failures_and_canvases_are_those_of_any_pool(tasks, worker):
    process = worker(20)
    assert tasks.limited.delay().get(timeout=20) == "soft"
    assert tasks.twice.delay().get(timeout=20) == 1
    with pytest.raises(KeyError, match="as it should"):
        tasks.fail.delay().get(timeout=20)
    assert chain(tasks.add.s(1, 2), tasks.add.s(3))().get(timeout=20) == 6
    total = chord([tasks.add.s(n, n) for n in range(10)], tasks.plain.s())
    assert total.apply_async().get(timeout=20)[0] == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    # A warm stop lets what runs end.
    last = tasks.nap.delay(0.5)
    process.wait_for_output(f"{last.id}] received")
    process.signal(15)
    assert process.wait() == 0
    assert last.get(timeout=5)
