"""Tasks that name a result store of their own: a worker keeps their results there, and callers look there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from celeriac import chord, group, states
from celeriac.exceptions import ChordError, NotRegistered, TaskRevokedError, WorkerLostError

pytestmark = pytest.mark.covers("app.task.Task.backend")

HERE = Path(__file__).parent


@pytest.fixture
def stores(monkeypatch, tmp_path):
    """Return the module, with an app that no other test has used."""
    monkeypatch.setenv("STORES", str(tmp_path))
    spec = importlib.util.spec_from_file_location("two_stores_app", HERE / "two_stores_app.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "two_stores_app", module)
    spec.loader.exec_module(module)
    with module.app:
        yield module


@pytest.fixture
def worker(stores, spawn, tmp_path):
    command = [sys.executable, "-m", "celeriac", "-A", "two_stores_app", "worker", "-c", "1", "-l", "INFO"]
    worker = spawn(*command, cwd=HERE, env={"STORES": str(tmp_path)})
    worker.wait_for_output("ready.")
    return worker


def _state_at_the_app(stores, result):
    return stores.app.AsyncResult(result.id).state


def test_results_are_kept_and_found_where_the_task_says(stores, worker):
    result = stores.there.delay(2)
    assert result.get(timeout=20) == 2
    assert result.backend is stores.there.backend is not stores.app.backend
    assert _state_at_the_app(stores, result) == states.PENDING
    assert stores.app.send_task("there", [3]).get(timeout=20) == 3
    assert stores.there.s(4).apply_async().get(timeout=20) == 4
    assert stores.here.delay(5).get(timeout=20) == 5
    # Both kinds, waited for together.
    assert group(stores.here.s(1), stores.there.s(2))().get(timeout=20) == [1, 2]
    result.forget()
    assert result.state == states.PENDING


def test_failures_tries_and_states_of_its_own_are_kept_there_too(stores, worker):
    failed = stores.fails.delay()
    with pytest.raises(LookupError, match="elsewhere"):
        failed.get(timeout=20)
    assert _state_at_the_app(stores, failed) == states.PENDING
    assert stores.again.delay().get(timeout=20) == 1
    assert stores.tells.delay().get(timeout=20) == ["PROGRESS", "PENDING"]


def test_what_no_process_could_store_is_kept_there_too(stores, worker):
    lost = stores.dies.delay()
    with pytest.raises(WorkerLostError):
        lost.get(timeout=20)
    assert _state_at_the_app(stores, lost) == states.PENDING
    expired = stores.there.apply_async((1,), expires=-1)
    with pytest.raises(TaskRevokedError, match="expired"):
        expired.get(timeout=20)
    # Of a task that nobody knows nobody knows the store.
    with pytest.raises(NotRegistered):
        stores.app.send_task("unheard").get(timeout=20)


def test_chords_are_counted_in_the_store_of_the_app_whatever_stores_their_tasks_name(stores, worker):
    header = [stores.here.s(1), stores.there.s(2), stores.there.s(3) | stores.there.s()]
    body = chord(header)(stores.total.s())
    assert body.get(timeout=20) == 6
    assert _state_at_the_app(stores, body) == states.PENDING
    with pytest.raises(ChordError, match="elsewhere"):
        chord([stores.here.s(1), stores.fails.s()])(stores.total.s()).get(timeout=20)


def test_what_follows_a_failure_in_a_chain_fails_where_it_would_have_been_kept(stores, worker):
    result = (stores.fails.s() | stores.there.s() | stores.here.si(1)).apply_async()
    with pytest.raises(LookupError):
        result.get(timeout=20)
    with pytest.raises(LookupError):
        stores.there.AsyncResult(result.parent.id).get(timeout=20)


def test_the_command_line_finds_results_by_the_name_of_the_task(stores, worker, spawn, tmp_path):
    result = stores.there.delay(7)
    command = [sys.executable, "-m", "celeriac", "-A", "two_stores_app", "result", result.id, "--task", "there"]
    asked = spawn(*command, cwd=HERE, env={"STORES": str(tmp_path)})
    assert asked.wait() == 0
    assert asked.output().strip().endswith("7")
