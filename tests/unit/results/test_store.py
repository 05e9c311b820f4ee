"""Between the app and its result store: which store, what is stored, and what happens while it is away."""

from __future__ import annotations

import sys
import time
from itertools import count

import pytest

from celeriac.app.context import Context
from celeriac.exceptions import PluginNotFound, StoreUnavailable, TimeoutError
from celeriac.results.disabled import DisabledBackend
from celeriac_memory.backend import MemoryBackend

# -- which store -------------------------------------------------------------------------------------------------------


@pytest.mark.covers("settings.result_backend")
@pytest.mark.parametrize("url", [None, "", "disabled", "disabled://"])
def test_without_a_store_asking_for_a_result_says_what_to_configure(make_app, url):
    app = make_app(backend=url)
    assert isinstance(app.backend, DisabledBackend)
    assert app.backend.as_uri() == "disabled://"
    result = app.send_task("t")
    for ask in (lambda: result.state, result.get, result.ready, result.forget, result.exists):
        with pytest.raises(
            NotImplementedError, match=r"No result backend is configured.*result_backend.*ignore_result"
        ):
            ask()
    app.results.store_state("i", "SUCCESS", 1)  # what nobody wants to have is dropped


def test_an_unknown_store_is_answered_with_what_is_near(make_app):
    with pytest.raises(PluginNotFound, match="Did you mean 'memory'"):
        make_app(backend="memroy://").AsyncResult("i").get(timeout=1)


def test_a_store_may_be_given_as_its_class_or_as_itself(make_app, memory_url):
    first = make_app(backend=MemoryBackend)
    assert isinstance(first.backend, MemoryBackend)
    made = MemoryBackend(first, memory_url)
    assert make_app(backend=made).backend is made


@pytest.mark.covers("app.base.Celery.backend")
def test_a_store_is_made_once(app):
    assert app.backend is app.backend is app.results.backend


# -- what is stored ----------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(app):
    def put(*args, **kwargs):
        app.results.store_state(*args, **kwargs)
        return app.results.fetch([args[0]])[args[0]]

    return put


def test_a_result_is_stored_to_the_letter(stored):
    meta = stored("i", "SUCCESS", {"a": [1]})
    assert meta.pop("date_done").endswith("+00:00")
    assert meta == {"status": "SUCCESS", "result": {"a": [1]}, "traceback": None, "children": None, "task_id": "i"}


def test_what_the_request_knows_is_stored_with_it(app, stored):
    request = Context(id="i", group="g", parent_id="p", stamped_headers=["s"], stamps={"s": ["v"]})
    request.children.append(app.AsyncResult("c"))
    meta = stored("i", "SUCCESS", 1, request=request)
    assert (meta["group_id"], meta["parent_id"], meta["stamped_headers"], meta["s"]) == ("g", "p", ["s"], ["v"])
    assert meta["children"] == [[["c", None], None]]


def test_an_error_is_stored_as_its_parts_and_a_passing_state_without_an_end(stored):
    meta = stored("i", "RETRY", LookupError("a"), traceback="tb")
    assert (meta["status"], meta["traceback"], meta["date_done"]) == ("RETRY", "tb", None)
    assert meta["result"] == {"exc_type": "LookupError", "exc_message": ["a"], "exc_module": "builtins"}


# -- a store that is away ----------------------------------------------------------------------------------------------


class Moody(MemoryBackend):
    """Out of reach for as many calls as `away` says; from the first for the watchers that are open."""

    away = 0
    calls = count()

    def _reach(self):
        next(self.calls)
        if type(self).away > 0:
            type(self).away -= 1
            raise StoreUnavailable("the store is away")

    def store(self, results):
        self._reach()
        super().store(results)

    def fetch(self, task_ids):
        self._reach()
        return super().fetch(task_ids)

    def delete(self, task_ids):
        self._reach()
        super().delete(task_ids)

    def watch(self):
        self._reach()
        watcher = super().watch()
        wait, reach = watcher.wait, self._reach

        def reaching(timeout):
            reach()
            return wait(timeout)

        watcher.wait = reaching
        return watcher


@pytest.fixture
def moody(make_app, memory_url):
    """Return ``moody(away, **settings)``: an app whose store is away for that many calls."""

    def make(away, **settings):
        quick = {
            "result_backend_base_sleep_between_retries_ms": 0,
            "result_backend_max_sleep_between_retries_ms": 0,
        }
        app = make_app(backend="moody://" + memory_url.partition("://")[2], **{**quick, **settings})
        app.plugins.register_driver("backend", "moody", Moody)
        Moody.away, Moody.calls = away, count()
        return app

    yield make
    Moody.away = 0


def test_storing_and_asking_outlast_a_store_that_is_away_for_a_moment(moody):
    app = moody(5)
    app.results.store_state("i", "SUCCESS", 1)
    Moody.away = 5
    assert app.AsyncResult("i").state == "SUCCESS"
    Moody.away = 5
    app.AsyncResult("i").forget()
    assert app.AsyncResult("i").state == "PENDING"


def test_waiting_outlasts_it_as_well(moody):
    app = moody(0)
    app.results.store_state("i", "SUCCESS", 1)
    Moody.away = 4
    assert app.AsyncResult("i").get(timeout=10) == 1


def test_a_store_that_stays_away_is_an_error(moody):
    app = moody(10_000)
    for ask in (
        lambda: app.results.store_state("i", "SUCCESS", 1),
        lambda: app.AsyncResult("i").state,
        lambda: app.AsyncResult("i").get(timeout=10),
    ):
        with pytest.raises(StoreUnavailable, match="the store is away"):
            ask()


@pytest.mark.covers(
    "settings.result_backend_always_retry",
    "settings.result_backend_max_retries",
    "settings.result_backend_base_sleep_between_retries_ms",
)
def test_how_often_may_be_set(moody):
    app = moody(10_000, result_backend_always_retry=True, result_backend_max_retries=9)
    with pytest.raises(StoreUnavailable):
        app.results.store_state("i", "SUCCESS", 1)
    assert next(Moody.calls) == 10
    Moody.away = 200
    app = moody(200, result_backend_always_retry=True)
    app.results.store_state("i", "SUCCESS", 1)
    assert app.AsyncResult("i").get(timeout=10) == 1


@pytest.mark.covers("settings.result_backend_max_sleep_between_retries_ms")
def test_a_timeout_holds_also_while_the_store_is_away(moody):
    app = moody(
        10_000,
        result_backend_always_retry=True,
        result_backend_base_sleep_between_retries_ms=20,
        result_backend_max_sleep_between_retries_ms=20,
    )
    begun = time.monotonic()
    with pytest.raises((TimeoutError, StoreUnavailable)):
        app.AsyncResult("i").get(timeout=0.1)
    assert time.monotonic() - begun < 5


# -- forks -------------------------------------------------------------------------------------------------------------

PROGRAM = """
import os, sys
from celeriac import Celery

app = Celery("forking", broker=sys.argv[1], backend=sys.argv[1])
app.results.store_state("before", "SUCCESS", 1)
assert app.AsyncResult("before").get(timeout=10) == 1
result = app.AsyncResult("by child")
child = os.fork()
if child == 0:
    app.results.store_state("by child", "SUCCESS", os.getpid())
    assert app.AsyncResult("before").get(timeout=10) == 1
    app.close()
    os._exit(0)
assert result.get(timeout=20) == child
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
app.results.store_state("after", "SUCCESS", 2)
assert app.AsyncResult("after").get(timeout=10) == 2
app.close()
print("good", flush=True)
"""


def test_parent_and_child_of_a_fork_both_store_and_wait(spawn, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "sqlite")
    program = spawn(sys.executable, "-W", "error", "-c", PROGRAM, f"sqlite:///{tmp_path}/queue.db")
    assert program.wait(40) == 0, program.output()
    assert program.output() == "good\n"
