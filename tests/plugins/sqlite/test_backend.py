"""The result store keeps its contract."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from celeriac.contracts import StoredResult
from celeriac.exceptions import SecurityError, SerializationError, StoreUnavailable
from celeriac_sqlite.backend import SqliteBackend


@pytest.fixture
def backend(app, url):
    backend = SqliteBackend(app, url)
    yield backend
    backend.close()


def result(task_id, state="SUCCESS", value=42, **given):
    return StoredResult(task_id, state, {"task_id": task_id, "status": state, "result": value}, **given)


def test_what_was_stored_is_fetched(backend):
    backend.store([result("a", value={"deep": [1, None, "ü"]}), result("b", "FAILURE")])
    found = backend.fetch(["b", "a", "c"])
    assert found["a"] == {"task_id": "a", "status": "SUCCESS", "result": {"deep": [1, None, "ü"]}}
    assert found["b"]["status"] == "FAILURE"
    assert set(found) == {"a", "b"}
    assert backend.fetch([]) == {}


def test_a_later_state_replaces_an_earlier_one_but_never_a_success(backend):
    backend.store([result("a", "STARTED"), result("a", "RETRY"), result("a", "SUCCESS", 1)])
    backend.store([result("a", "STARTED"), result("a", "FAILURE")])
    backend.store([result("a", "SUCCESS", 2)])
    assert backend.fetch(["a"])["a"] == {"task_id": "a", "status": "SUCCESS", "result": 1}


def test_a_success_that_has_expired_is_replaced(backend):
    backend.store([result("a", expires=0.01)])
    time.sleep(0.02)  # expiry is a matter of time
    backend.store([result("a", "STARTED")])
    assert backend.fetch(["a"])["a"]["status"] == "STARTED"


def test_forgotten_results_are_gone(backend):
    backend.store([result("a"), result("b")])
    backend.delete(["a", "never"])
    assert set(backend.fetch(["a", "b"])) == {"b"}


def test_expired_results_are_invisible_and_then_removed(backend, query):
    backend.store([result("gone", expires=0.01), result("kept", expires=100)])
    time.sleep(0.02)  # expiry is a matter of time
    assert set(backend.fetch(["gone", "kept"])) == {"kept"}
    assert query("SELECT count(*) FROM result") == [(2,)]
    backend.cleanup()
    assert query("SELECT task_id FROM result") == [("kept",)]


@pytest.mark.parametrize(("result_expires", "seconds"), [(60, 60), (timedelta(hours=1), 3600), (0, None)])
def test_results_are_kept_as_long_as_the_setting_says(app, backend, query, result_expires, seconds):
    app.conf.result_expires = result_expires
    backend.store([result("a")])
    ((expires,),) = query("SELECT expires FROM result")
    if seconds is None:
        assert expires is None
    else:
        assert expires - time.time() == pytest.approx(seconds, abs=5)


def test_many_are_stored_and_fetched_at_once(backend):
    ids = [f"task-{number}" for number in range(3000)]
    backend.store([result(id_) for id_ in ids])
    assert len(backend.fetch(ids)) == 3000


def test_another_process_reads_them(backend, party):
    assert party("store_some", "a", "b").wait() == 0
    assert backend.fetch(["a"])["a"]["result"] == 42


def test_threads_share_a_backend(backend):
    def store(number):
        for n in range(20):
            backend.store([result(f"{number}-{n}")])
            assert backend.fetch([f"{number}-{n}"])

    threads = [threading.Thread(target=store, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(backend.fetch([f"{number}-{n}" for number in range(8) for n in range(20)])) == 160


def test_a_closed_backend_connects_again(backend):
    backend.store([result("a")])
    backend.close()
    backend.close()
    assert set(backend.fetch(["a"])) == {"a"}


def test_a_value_that_cannot_be_encoded_stores_nothing(backend):
    with pytest.raises(SerializationError):
        backend.store([result("a"), result("b", value=object())])
    assert backend.fetch(["a", "b"]) == {}


def test_content_that_the_app_does_not_accept_is_not_decoded(backend, query):
    backend.store([result("a")])
    query("UPDATE result SET content_type = 'application/x-python-serialize'")
    with pytest.raises(SecurityError, match="pickle"):
        backend.fetch(["a"])


def test_a_store_that_cannot_be_opened_is_named(app, tmp_path):
    backend = SqliteBackend(app, f"sqlite:///{tmp_path}/missing/results.db")
    with pytest.raises(StoreUnavailable, match=r"no directory .*missing; make it"):
        backend.store([result("a")])
    with pytest.raises(StoreUnavailable, match="missing"):
        backend.fetch(["a"])
    with pytest.raises(StoreUnavailable, match="missing"):
        backend.watch()


def test_the_url_is_shown(backend, url):
    assert backend.as_uri() == url


# --- waiting ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def watcher(backend):
    watcher = backend.watch()
    yield watcher
    watcher.close()
    watcher.close()


def ids(metas):
    return sorted(meta["task_id"] for meta in metas)


def test_results_that_are_there_already_are_reported(backend, watcher):
    backend.store([result("a"), result("b")])
    watcher.add(["a", "c"])
    assert ids(watcher.wait(5)) == ["a"]
    assert watcher.wait(0) == []


def test_a_wait_ends_with_the_result_of_another_process(watcher, party):
    watcher.add(["a", "b"])
    party("store_some", "other", "b")
    started = time.monotonic()
    assert ids(watcher.wait(20)) == ["b"]
    assert time.monotonic() - started < 20


def test_a_wait_ends_in_time(watcher):
    watcher.add(["a"])
    started = time.monotonic()
    assert watcher.wait(0.15) == []
    assert 0.15 <= time.monotonic() - started < 1


def test_each_change_is_reported(backend, watcher):
    watcher.add(["a"])
    backend.store([result("a", "STARTED")])
    assert watcher.wait(5)[0]["status"] == "STARTED"
    backend.store([result("a", "SUCCESS")])
    assert watcher.wait(5)[0]["status"] == "SUCCESS"
    backend.store([result("a", "FAILURE")])
    assert watcher.wait(0) == []


def test_unwatched_results_are_not_reported(backend, watcher):
    watcher.add(["a"])
    backend.store([result("b")])
    assert watcher.wait(0.01) == []


def test_a_change_between_two_waits_is_not_missed_without_the_datagram(backend, watcher, path):
    watcher.add(["a"])
    assert watcher.wait(0) == []
    for socket in path.with_name("queue.db.wake").iterdir():
        socket.unlink()
    thread = threading.Timer(0.1, backend.store, [[result("a")]])
    thread.start()
    assert ids(watcher.wait(5)) == ["a"]
    thread.join()


def test_ten_thousand_tasks_are_watched_at_once(backend, watcher):
    wanted = [f"task-{number}" for number in range(10_000)]
    watcher.add(wanted)

    def store():
        for start in range(0, 10_000, 500):
            backend.store([result(id_) for id_ in wanted[start : start + 500]] + [result(f"other-{start}")])

    thread = threading.Thread(target=store)
    thread.start()
    found: list[str] = []
    deadline = time.monotonic() + 30
    while len(set(found)) < 10_000 and time.monotonic() < deadline:
        found += [meta["task_id"] for meta in watcher.wait(5)]
    thread.join()
    assert sorted(set(found)) == sorted(wanted)


def test_a_killed_writer_breaks_nothing(backend, party, query):
    writer = party("store")
    writer.wait_for_output("\n")
    writer.kill()
    stored = int(writer.output().split()[-1])
    assert query("PRAGMA integrity_check") == [("ok",)]
    assert len(backend.fetch([f"task-{number}" for number in range(stored)])) == stored
    assert query("SELECT count(*) FROM result")[0][0] % 2 == 0
