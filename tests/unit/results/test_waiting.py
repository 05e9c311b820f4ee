"""Waiting together: one watcher for all threads and event loops of a process, and for what comes after a fork."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from celeriac.contracts import StoredResult
from celeriac.exceptions import SecurityError, TimeoutError
from celeriac_memory.backend import MemoryBackend, MemoryWatcher
from celeriac_sqlite.backend import SqliteBackend


class CountedWatcher(MemoryWatcher):
    opened: list[CountedWatcher]

    def __init__(self, *args):
        super().__init__(*args)
        self.opened.append(self)


class PlainWatcher(CountedWatcher):
    """Like that of a driver that can neither forget nor be woken."""

    shareable = False

    def discard(self, task_ids):
        raise AssertionError("not to be called")

    def wake(self):
        raise AssertionError("not to be called")


@pytest.fixture(params=[CountedWatcher, PlainWatcher], ids=["shareable", "plain"])
def watchers(request, monkeypatch):
    request.param.opened = []
    monkeypatch.setattr(MemoryBackend, "watch", lambda self: request.param(self._results, self._decode))
    return request.param.opened


@pytest.fixture(params=["memory", "sqlite"])
def app(request, make_app, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,sqlite")
    return make_app() if request.param == "memory" else make_app(backend=f"sqlite:///{tmp_path / 'results.db'}")


@pytest.fixture
def memory_app(make_app):
    return make_app()


def succeed(app, *ids):
    """Store for each task its own id as the result, as a worker does."""
    app.results.store([app.results.entry(task_id, "SUCCESS", task_id) for task_id in ids])


def new_ids(count):
    return [uuid4().hex for _ in range(count)]


# -- threads -----------------------------------------------------------------------------------------------------------


def test_one_watcher_serves_calls_that_follow_each_other(memory_app, watchers):
    for task_id in new_ids(20):
        timer = threading.Timer(0.002, succeed, (memory_app, task_id))
        timer.start()
        assert memory_app.AsyncResult(task_id).get(timeout=10) == task_id
        timer.join()
    assert len(watchers) == 1


def test_many_threads_wait_at_once_each_for_its_own(memory_app, watchers):
    ids = new_ids(40)
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(memory_app.AsyncResult(task_id).get, timeout=20) for task_id in ids]
        for task_id in reversed(ids):
            succeed(memory_app, task_id)
        assert [future.result(20) for future in waiting] == ids
    assert len(watchers) == 1


def test_many_threads_wait_on_any_store(app):
    ids = new_ids(200)
    with ThreadPoolExecutor(8) as pool:
        groups = [ids[start::8] for start in range(8)]
        waiting = [
            pool.submit(app.ResultSet([app.AsyncResult(task_id) for task_id in group]).get, timeout=30)
            for group in groups
        ]
        for start in range(0, len(ids), 20):
            succeed(app, *ids[start : start + 20])
        assert [future.result(30) for future in waiting] == groups


def test_who_gives_up_leaves_the_watch_to_others(app):
    task_id, never = new_ids(2)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(app.AsyncResult(never).get, timeout=0.1)
        follower = pool.submit(app.AsyncResult(task_id).get, timeout=20)
        with pytest.raises(TimeoutError):
            leader.result(20)
        succeed(app, task_id)
        assert follower.result(20) == task_id


def test_a_result_is_told_again_to_who_asks_again(memory_app, watchers):
    (task_id,) = new_ids(1)
    succeed(memory_app, task_id)
    for _ in range(3):
        assert memory_app.AsyncResult(task_id).get(timeout=10) == task_id


def test_an_interrupted_wait_loses_nothing_for_the_others(app):
    class Enough(BaseException):
        pass

    def stop():
        raise Enough

    ids = new_ids(2)
    with ThreadPoolExecutor(2) as pool:
        stopped = pool.submit(app.AsyncResult(ids[0]).get, timeout=20, interval=0.02, on_interval=stop)
        other = pool.submit(app.AsyncResult(ids[1]).get, timeout=20)
        with pytest.raises(Enough):
            stopped.result(20)
        succeed(app, ids[1])
        assert other.result(20) == ids[1]


def test_one_unreadable_result_is_only_the_error_of_who_waits_for_it(memory_app, watchers, monkeypatch):
    # Given a store in which somebody has put what this app does not accept
    good, bad = new_ids(2)
    decode = MemoryBackend._decode

    def refuse(self, record):
        if record.task_id == bad:
            raise SecurityError("content type not accepted")
        return decode(self, record)

    monkeypatch.setattr(MemoryBackend, "_decode", refuse)
    with ThreadPoolExecutor(2) as pool:
        hurt = pool.submit(memory_app.AsyncResult(bad).get, timeout=20)
        well = pool.submit(memory_app.AsyncResult(good).get, timeout=20)
        succeed(memory_app, bad)
        with pytest.raises(SecurityError, match="not accepted"):
            hurt.result(20)
        succeed(memory_app, good)
        assert well.result(20) == good


# -- event loops -------------------------------------------------------------------------------------------------------


def test_awaiting_does_not_hold_up_the_loop(app):
    ids = new_ids(300)

    async def main():
        turns = 0
        waiting = asyncio.gather(*[app.AsyncResult(task_id) for task_id in ids])
        while not waiting.done():
            turns += 1
            if turns == 3:
                await asyncio.to_thread(succeed, app, *ids)
            await asyncio.sleep(0)
        assert turns >= 3  # nothing had come before the third
        return await waiting

    assert asyncio.run(main()) == ids


def test_one_watcher_and_one_thread_serve_all_coroutines(memory_app, watchers):
    ids = new_ids(500)
    before = set(threading.enumerate())

    async def main():
        waiting = asyncio.gather(*[memory_app.AsyncResult(task_id).aget(timeout=20) for task_id in ids])
        await asyncio.sleep(0)
        threads = set(threading.enumerate()) - before
        succeed(memory_app, *ids)
        return await waiting, len(threads)

    values, threads = asyncio.run(main())
    assert values == ids
    assert threads == 1
    assert len(watchers) == 1


def test_threads_and_coroutines_wait_side_by_side(app):
    ids = new_ids(4)

    async def main():
        first = asyncio.to_thread(app.AsyncResult(ids[0]).get, timeout=20)
        second = app.AsyncResult(ids[1]).aget(timeout=20)
        third = asyncio.to_thread(app.AsyncResult(ids[2]).get, timeout=20)
        waiting = asyncio.gather(first, second, third, app.AsyncResult(ids[3]))
        for task_id in ids:
            await asyncio.sleep(0.01)  # so that the lead changes hands; the outcome does not depend on it
            await asyncio.to_thread(succeed, app, task_id)
        return await waiting

    assert asyncio.run(main()) == ids


def test_a_loop_after_another_waits_as_well(app):
    for task_id in new_ids(3):
        threading.Timer(0.01, succeed, (app, task_id)).start()

        async def main(task_id=task_id):
            return await app.AsyncResult(task_id).aget(timeout=20)

        assert asyncio.run(main()) == task_id


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_awaiting_ends_with_the_timeout(app, timeout):
    async def main():
        with pytest.raises(TimeoutError, match="is a worker running"):
            await app.AsyncResult("never").aget(timeout=timeout)

    asyncio.run(main())


def test_a_timeout_of_nothing_finds_what_is_there(app):
    succeed(app, "there")
    assert app.AsyncResult("there").get(timeout=0) == "there"
    assert asyncio.run(app.AsyncResult("there").aget(timeout=0)) == "there"


def test_a_cancelled_coroutine_leaves_the_others_waiting(app):
    async def main():
        cancelled = asyncio.ensure_future(app.AsyncResult("never").aget())
        other = asyncio.ensure_future(app.AsyncResult("comes").aget(timeout=20))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await asyncio.to_thread(succeed, app, "comes")
        return await other

    assert asyncio.run(main()) == "comes"


def test_a_failed_ancestor_is_raised_to_a_coroutine_too(app):
    async def main():
        parent = app.AsyncResult("first")
        waiting = asyncio.ensure_future(app.AsyncResult("second", parent=parent).aget(timeout=20))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(app.results.store_state, "first", "FAILURE", LookupError("first"))
        with pytest.raises(LookupError):
            await waiting

    asyncio.run(main())


# -- processes ---------------------------------------------------------------------------------------------------------


def test_a_forked_child_waits_with_a_watcher_of_its_own(make_app, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,sqlite")
    app = make_app(backend=f"sqlite:///{tmp_path / 'results.db'}")
    assert isinstance(app.backend, SqliteBackend)
    first, second, third = new_ids(3)
    # Given a process with a watcher, in which a thread leads and a thread serves coroutines
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(app.AsyncResult(third).get, timeout=30)
        succeed(app, first)
        assert asyncio.run(app.AsyncResult(first).aget(timeout=20)) == first
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.alarm(20)
                threading.Timer(0.05, succeed, (app, second)).start()
                if app.AsyncResult(second).get(timeout=15) == second:
                    code = 0 if asyncio.run(app.AsyncResult(first).aget(timeout=15)) == first else 2
            finally:
                os._exit(code)
        # Then the child waits for itself, and the parent as before
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        succeed(app, third)
        assert waiting.result(20) == third


def test_a_result_whose_meta_names_another_task_is_told_to_nobody(memory_app):
    meta = {"status": "SUCCESS", "result": 1, "task_id": "other"}
    memory_app.backend.store([StoredResult("mine", "SUCCESS", meta)])
    with pytest.raises(TimeoutError):
        memory_app.AsyncResult("mine").get(timeout=0.05)
