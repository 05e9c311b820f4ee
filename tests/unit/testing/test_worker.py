"""A worker in the test's own process: ready when its block begins, gone after it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
import uuid

import pytest

from celeriac.app.base import Celery
from celeriac.exceptions import PluginNotFound
from celeriac.plugin.index import Index, shared_index
from celeriac.plugin.manager import PluginManager
from celeriac.testing import start_worker


@pytest.fixture
def app():
    url = f"memory://{uuid.uuid4()}"
    with Celery("proj", broker=url, backend=url, set_as_current=False) as app:
        yield app


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_tasks_run_while_the_block_lasts_and_not_after_it(app, pool):
    @app.task
    def where():
        return threading.current_thread().name

    with start_worker(app, pool=pool, perform_ping_check=True) as worker:
        assert "celeriac" in where.delay().get(timeout=10)
        assert not worker.is_stopping()
    late = where.delay()
    assert late.state == "PENDING"
    assert [thread for thread in threading.enumerate() if thread.name == "celeriac-test-worker"] == []


def test_what_the_worker_raises_at_its_start_is_raised(app):
    with pytest.raises(PluginNotFound, match="nowhere"), start_worker(app, pool="nowhere"):
        pytest.fail("the block must not begin")


def test_what_the_block_raises_is_raised_when_the_worker_has_ended(app):
    with pytest.raises(ValueError, match="of the test"), start_worker(app):
        raise ValueError("of the test")
    assert [thread for thread in threading.enumerate() if thread.name == "celeriac-test-worker"] == []


def test_a_task_that_does_not_end_in_time_is_told_of(app):
    begun, gate = threading.Event(), threading.Event()

    @app.task
    def wait():
        begun.set()
        gate.wait(20)

    def stop_too_soon():
        with start_worker(app, shutdown_timeout=0.1):
            wait.delay()
            assert begun.wait(10)

    with pytest.raises(TimeoutError, match="a task of it still runs"):
        stop_too_soon()
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "celeriac-test-worker":
            thread.join(10)


def test_a_worker_starts_and_ends_in_a_moment(app):
    def started() -> float:
        begin = time.perf_counter()
        with start_worker(app):
            pass
        return time.perf_counter() - begin

    started()  # what it imports is imported once
    assert min(started() for _ in range(5)) < 0.05


def test_a_worker_whose_broker_is_away_is_told_of():
    with socket.socket() as nobody:  # that listens
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        with Celery("away", broker=url, set_as_current=False) as away:
            said = f"not ready within 0.3 s: does its broker, {url}, answer"
            with pytest.raises(TimeoutError, match=said), start_worker(away, startup_timeout=0.3):
                pytest.fail("the block must not begin")
            for thread in threading.enumerate():
                if thread.name == "celeriac-test-worker":
                    thread.join(10)
                    assert not thread.is_alive()


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
def test_what_the_block_raises_is_not_hidden_by_a_worker_that_does_not_end(app, raised):
    # Given a task that blocks its worker
    begun, gate = threading.Event(), threading.Event()

    @app.task
    def wait():
        begun.set()
        gate.wait(20)

    def interrupted():
        with start_worker(app, shutdown_timeout=0.1 if raised is ValueError else 20):
            wait.delay()
            assert begun.wait(10)
            raise raised("of the test")

    # When the test raises something, then that is raised, and soon where it was interrupted
    begin = time.monotonic()
    with pytest.raises(raised, match="of the test") as error:
        interrupted()
    assert time.monotonic() - begin < 10
    assert "a task of it still runs" in error.value.__notes__[0]
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "celeriac-test-worker":
            thread.join(10)


def test_a_worker_that_had_nothing_to_do_ends_without_a_word():
    code = (
        "from celeriac import Celery\n"
        "from celeriac.testing import start_worker\n"
        "with start_worker(Celery('quiet', broker='memory://')):\n"
        "    pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("", "")


HANGING = """
import threading
from celeriac import Celery
from celeriac.testing import start_worker

app = Celery("proj", broker="memory://", backend="memory://")
begun = threading.Event()

@app.task
def hang():
    begun.set()
    threading.Event().wait()

try:
    with start_worker(app, pool="POOL", shutdown_timeout=0.05):
        hang.delay()
        assert begun.wait(20)
except TimeoutError as error:
    print(error)
"""


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_program_ends_though_a_task_never_does(pool):
    done = subprocess.run(
        [sys.executable, "-c", HANGING.replace("POOL", pool)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the worker has not ended within 0.05 s: a task of it still runs\n")


def test_without_the_memory_plugin_the_error_names_what_installs_it():
    installed = [provider for provider in shared_index().providers if provider.name != "celeriac-memory"]
    with Celery("bare", broker="memory://", set_as_current=False) as bare:
        bare._plugins = PluginManager(bare, index=Index(installed))
        with pytest.raises(PluginNotFound, match="pip install celeriac-memory"), start_worker(bare):
            pytest.fail("the block must not begin")
