"""The in-memory result store, as the app and many threads use it."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from celeriac.app.base import Celery
from celeriac.contracts import StoredResult
from celeriac.exceptions import SecurityError, SerializationError
from celeriac.protocol.results import build_meta
from celeriac_memory.backend import MemoryBackend


@pytest.fixture
def app(url):
    app = Celery("memory-tests", backend=url, set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def backend(app):
    assert isinstance(app.backend, MemoryBackend)
    return app.backend


def result(task_id, state="SUCCESS", value=None, expires=None):
    return StoredResult(task_id, state, build_meta(task_id, state, value), expires)


def values(metas):
    return {meta["task_id"]: meta["result"] for meta in metas}


def test_what_is_stored_is_found(backend):
    backend.store([result("a", value={"n": 1}), result("b", "FAILURE", {"exc_type": "E"})])
    found = backend.fetch(["a", "b", "unknown"])
    assert set(found) == {"a", "b"}
    assert found["a"]["result"] == {"n": 1}
    assert found["b"]["status"] == "FAILURE"


def test_a_result_is_a_copy_of_what_was_stored_and_of_what_is_read(backend):
    value = [1]
    backend.store([result("a", value=value)])
    value.append(2)
    backend.fetch(["a"])["a"]["result"].append(3)
    assert backend.fetch(["a"])["a"]["result"] == [1]


def test_a_success_is_never_replaced_and_anything_else_is(backend):
    backend.store([result("a", "STARTED"), result("a", "FAILURE"), result("a", "RETRY"), result("a", value="done")])
    backend.store([result("a", "FAILURE", "late"), result("a", value="again")])
    assert backend.fetch(["a"])["a"] == build_meta("a", "SUCCESS", "done")


def test_a_forgotten_result_is_gone_and_may_come_again(backend):
    backend.store([result("a")])
    backend.delete(["a", "unknown"])
    assert backend.fetch(["a"]) == {}
    backend.store([result("a", "STARTED")])
    assert backend.fetch(["a"])["a"]["status"] == "STARTED"


def test_one_value_that_cannot_be_encoded_keeps_the_whole_batch_out(backend):
    with pytest.raises(SerializationError, match="object"):
        backend.store([result("a"), result("b", value=object())])
    assert backend.fetch(["a", "b"]) == {}


@pytest.mark.covers("settings.result_accept_content")
def test_a_result_in_a_format_that_is_not_accepted_is_refused(backend, url):
    backend.store([result("a")])
    strict = Celery("strict", backend=url, set_as_current=False, result_accept_content=[])
    with pytest.raises(SecurityError, match="application/json"):
        strict.backend.fetch(["a"])


def test_two_apps_of_one_process_share_an_address_and_no_other(backend, url):
    backend.store([result("a")])
    same = Celery("other", backend=url, set_as_current=False)
    elsewhere = Celery("other", backend=url + "-elsewhere", set_as_current=False)
    as_celery_says = Celery("other", backend="cache+" + url, set_as_current=False)
    assert set(same.backend.fetch(["a"])) == set(as_celery_says.backend.fetch(["a"])) == {"a"}
    assert elsewhere.backend.fetch(["a"]) == {}


@pytest.mark.parametrize("expires", [0.05, timedelta(seconds=0.05)])
def test_a_result_expires(url, wait_until, expires):
    app = Celery("short", backend=url, set_as_current=False, result_expires=expires)
    app.backend.store([result("a"), result("kept", expires=3600)])
    assert set(app.backend.fetch(["a", "kept"])) == {"a", "kept"}
    wait_until(lambda: set(app.backend.fetch(["a", "kept"])) == {"kept"}, message="the result expires")


def test_a_result_that_was_replaced_lives_as_long_as_the_later_one_says(backend, wait_until):
    backend.store([result("a", "STARTED", expires=0.05)])
    backend.store([result("a", expires=3600), result("witness", expires=0.05)])
    wait_until(lambda: not backend.fetch(["witness"]))
    assert set(backend.fetch(["a"])) == {"a"}


@pytest.mark.parametrize("never", [None, 0])
def test_without_an_expiry_a_result_stays(url, wait_until, never):
    app = Celery("long", backend=url, set_as_current=False, result_expires=never)
    app.backend.store([result("a"), result("witness", expires=0.01)])
    wait_until(lambda: not app.backend.fetch(["witness"]))
    assert set(app.backend.fetch(["a"])) == {"a"}


def test_expired_results_leave_the_memory_without_being_asked_for(backend):
    backend.store([result(str(number), expires=0.001) for number in range(100)])
    deadline = time.monotonic() + 10
    while backend._results._records and time.monotonic() < deadline:
        backend.cleanup()
    assert not backend._results._records
    assert not backend._results._expiries


# -- waiting -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def watcher(backend):
    watcher = backend.watch()
    yield watcher
    watcher.close()


def test_what_is_there_already_is_reported_at_once(backend, watcher):
    backend.store([result("a", value=1), result("b", value=2)])
    watcher.add(["a", "b", "later"])
    assert values(watcher.wait(0)) == {"a": 1, "b": 2}
    assert watcher.wait(0) == []


def test_waiting_ends_when_another_thread_stores_a_result(backend, watcher):
    watcher.add(["a"])
    thread = threading.Timer(0.05, backend.store, args=([result("a", value=1)],))
    thread.start()
    started = time.monotonic()
    assert values(watcher.wait(10)) == {"a": 1}
    assert time.monotonic() - started < 5
    thread.join()


def test_waiting_ends_after_its_timeout(watcher):
    watcher.add(["a"])
    started = time.monotonic()
    assert watcher.wait(0.05) == []
    assert time.monotonic() - started >= 0.05


def test_each_change_is_reported_once_and_others_results_never(backend, watcher):
    watcher.add(["a"])
    backend.store([result("a", "STARTED"), result("other")])
    assert [meta["status"] for meta in watcher.wait(1)] == ["STARTED"]
    backend.store([result("a")])
    assert [meta["status"] for meta in watcher.wait(1)] == ["SUCCESS"]
    backend.store([result("a", "FAILURE")])  # not taken, so no change
    assert watcher.wait(0) == []


def test_changes_between_two_waits_are_reported_in_their_last_state(backend, watcher):
    watcher.add(["a"])
    backend.store([result("a", "STARTED"), result("a")])
    assert [meta["status"] for meta in watcher.wait(1)] == ["SUCCESS"]


def test_adding_a_task_twice_reports_it_once(backend, watcher):
    backend.store([result("a")])
    watcher.add(["a"])
    assert len(watcher.wait(0)) == 1
    watcher.add(["a"])
    assert watcher.wait(0) == []


def test_closing_ends_the_wait_of_another_thread_and_leaves_nothing_behind(backend):
    watcher = backend.watch()
    watcher.add(["a", "b"])
    thread = threading.Thread(target=watcher.wait, args=(None,))
    thread.start()
    watcher.close()
    thread.join(10)
    assert not thread.is_alive()
    watcher.close()
    assert not backend._results._watches


def test_two_watchers_of_one_task_are_both_told(backend):
    one, other = backend.watch(), backend.watch()
    one.add(["a"])
    other.add(["a"])
    one.close()
    backend.store([result("a", value=1)])
    assert values(other.wait(1)) == {"a": 1}
    other.close()


def test_many_threads_store_and_wait_for_each_others_results(backend):
    per_thread, threads = 100, 8
    seen: list[int] = []

    def store(thread):
        for number in range(per_thread):
            backend.store([result(f"{thread}-{number}", value=number)])

    def wait():
        watcher = backend.watch()
        wanted = {f"{thread}-{number}" for thread in range(threads) for number in range(per_thread)}
        watcher.add(wanted)
        deadline = time.monotonic() + 20
        while wanted and time.monotonic() < deadline:
            wanted -= set(values(watcher.wait(deadline - time.monotonic())))
        watcher.close()
        seen.append(threads * per_thread - len(wanted))

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    storing = [threading.Thread(target=store, args=(number,)) for number in range(threads)]
    for thread in [*waiting, *storing]:
        thread.start()
    for thread in [*waiting, *storing]:
        thread.join()
    assert seen == [threads * per_thread] * 3


# -- through the app ---------------------------------------------------------------------------------------------------


def test_a_result_is_waited_for_through_the_app(app):
    expected = app.AsyncResult("a")
    thread = threading.Timer(0.05, app.results.store_state, args=("a", "SUCCESS", {"n": 1}))
    thread.start()
    assert expected.get(timeout=10) == {"n": 1}
    thread.join()
    failed = app.AsyncResult("b")
    app.results.store_state("b", "FAILURE", ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        failed.get(timeout=1)
