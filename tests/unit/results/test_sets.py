"""Sets and groups of results: their members, iteration, keeping a group, callbacks, the guard."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading

import pytest

from celeriac.exceptions import BackendError, ProtocolError, TimeoutError
from celeriac.result import (
    AsyncResult,
    EagerResult,
    GroupResult,
    ResultSet,
    allow_join_result,
    assert_will_not_block,
    denied_join_result,
    result_from_tuple,
    task_join_will_block,
)
from celeriac_memory.backend import MemoryBackend


@pytest.fixture(params=["memory", "sqlite"])
def app(request, make_app, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,sqlite")
    return make_app() if request.param == "memory" else make_app(backend=f"sqlite:///{tmp_path / 'results.db'}")


def end(app, **values):
    app.results.store(
        [
            app.results.entry(task_id, "FAILURE" if isinstance(value, Exception) else "SUCCESS", value)
            for task_id, value in values.items()
        ]
    )


def set_of(app, *ids):
    return app.ResultSet([app.AsyncResult(task_id) for task_id in ids])


# -- members -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "result.ResultSet",
    "result.ResultSet.add",
    "result.ResultSet.update",
    "result.ResultSet.remove",
    "result.ResultSet.discard",
    "result.ResultSet.clear",
    "result.ResultSet.results",
)
def test_members_come_and_go(app):
    a, b, c = (app.AsyncResult(name) for name in "abc")
    results = ResultSet([a], app=app)
    results.add(b)
    results.add(b)
    results.update([b, c])
    assert results.results == [a, b, c]
    results.remove("b")
    results.discard("b")
    results.discard(c)
    assert list(results) == [a]
    assert results[0] is a
    with pytest.raises(KeyError):
        results.remove("b")
    results.clear()
    assert len(results) == 0


@pytest.mark.covers(
    "result.ResultSet.completed_count",
    "result.ResultSet.ready",
    "result.ResultSet.waiting",
    "result.ResultSet.failed",
    "result.ResultSet.successful",
    "result.ResultSet.maybe_throw",
    "result.ResultSet.maybe_reraise",
)
def test_counts_and_states_are_those_of_all(app):
    results = set_of(app, "a", "b")
    end(app, a=1)
    assert (results.completed_count(), results.ready(), results.waiting(), results.failed()) == (1, False, True, False)
    end(app, b=LookupError("b"))
    assert (results.completed_count(), results.ready(), results.successful(), results.failed()) == (
        1,
        True,
        False,
        True,
    )
    with pytest.raises(LookupError):
        results.maybe_throw()
    told = []
    results.maybe_reraise(callback=lambda *pair: told.append(pair[0]), propagate=False)
    assert told == ["a", "b"]
    end(app, c=1)
    assert set_of(app, "a", "c").successful()


@pytest.mark.covers(
    "result.ResultSet.supports_native_join",
    "result.GroupResult.supports_native_join",
    "result.AsyncResult.supports_native_join",
)
def test_all_can_be_waited_for_at_once_wherever_there_is_a_store(app, make_app):
    assert set_of(app, "a").supports_native_join
    assert app.GroupResult("g", [app.AsyncResult("a")]).supports_native_join
    assert app.AsyncResult("a").supports_native_join
    without = make_app(backend=None)
    assert not without.AsyncResult("a").supports_native_join
    assert not without.ResultSet([]).supports_native_join


@pytest.mark.covers("result.ResultSet.parent")
def test_a_set_has_no_place_in_a_chain_unless_it_is_given_one(app):
    parent = app.AsyncResult("p")
    assert app.ResultSet([]).parent is None
    assert ResultSet([], app=app, parent=parent).parent is parent
    assert list(ResultSet([], app=app, parent=parent).parents()) == [parent]


# -- iteration ---------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.ResultSet")
@pytest.mark.covers("result.ResultSet.iter_native")
def test_members_are_told_as_they_end(app):
    results = set_of(app, "a", "b")
    end(app, b=2)
    arriving = results.iter_native(timeout=20)
    task_id, meta = next(arriving)
    assert (task_id, meta["status"], meta["result"]) == ("b", "SUCCESS", 2)
    end(app, a=LookupError("a"))
    task_id, meta = next(arriving)
    assert (task_id, meta["status"], repr(meta["result"])) == ("a", "FAILURE", "LookupError('a')")
    assert list(arriving) == []


def test_a_group_in_a_group_is_told_when_all_of_it_has_ended(app):
    inner = app.GroupResult("inner", [app.AsyncResult("a"), app.AsyncResult("b")])
    outer = app.GroupResult("outer", [inner, app.AsyncResult("c")])
    end(app, a=1, c=3)
    arriving = outer.iter_native(timeout=20)
    assert next(arriving)[0] == "c"
    end(app, b=2)
    assert next(arriving) == ("inner", inner.results)
    assert outer.get(timeout=1) == [[1, 2], 3]


def test_values_come_in_the_order_of_their_ends(app):
    results = set_of(app, "a", "b", "c")
    end(app, c=3)
    arriving = results.iterate(timeout=20)
    assert next(arriving) == 3
    end(app, a=1)
    assert next(arriving) == 1
    end(app, b=LookupError("b"))
    with pytest.raises(LookupError):
        next(arriving)
    with pytest.raises(TimeoutError):
        list(set_of(app, "never").iterate(timeout=0.02))


@pytest.mark.covers("result.ResultSet.get", "result.ResultSet.join", "result.ResultSet.join_native")
def test_callbacks_get_the_values_and_then_there_is_no_list(app):
    end(app, a=1, b=2)
    for join in ("get", "join", "join_native"):
        told = []
        assert (
            getattr(set_of(app, "b", "a"), join)(timeout=5, callback=lambda *pair, told=told: told.append(pair)) == []
        )
        assert sorted(told) == [("a", 1), ("b", 2)]
    told = []
    set_of(app, "b", "a").join(timeout=5, callback=lambda *pair: told.append(pair))
    assert told == [("b", 2), ("a", 1)]


def test_members_and_values_come_to_a_coroutine_as_they_end(app):
    async def main():
        results = set_of(app, "a", "b")
        await asyncio.to_thread(end, app, b=2)
        seen = []
        async for member in results:
            seen.append(member.result)
            if len(seen) == 1:
                await asyncio.to_thread(end, app, a=1)
        assert seen == [2, 1]
        assert await set_of(app, "a", "b") == [1, 2]
        assert await set_of(app, "a", "b").aget(timeout=5) == [1, 2]
        assert sorted([value async for value in set_of(app, "a", "b").aiterate(timeout=5)]) == [1, 2]
        await asyncio.to_thread(end, app, c=LookupError("c"))
        with pytest.raises(LookupError):
            await set_of(app, "never", "c").aget(timeout=20)
        with pytest.raises(TimeoutError):
            await set_of(app, "never").aget(timeout=0.02)

    asyncio.run(main())


@pytest.mark.covers("result.ResultSet.backend", "result.AsyncResult.backend")
def test_results_of_several_stores_are_joined(make_app):
    one, other = make_app(), make_app(backend="memory://other-store-of-this-test")
    end(one, a=1)
    end(other, b=2)
    results = ResultSet([one.AsyncResult("a"), other.AsyncResult("b")])
    assert results.get(timeout=5) == [1, 2]
    assert results.completed_count() == 2
    elsewhere = AsyncResult("b", backend=other.backend, app=one)
    assert elsewhere.get(timeout=5) == 2
    assert elsewhere.backend is other.backend


# -- keeping a group ---------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "result.GroupResult.save",
    "result.GroupResult.restore",
    "result.GroupResult.delete",
    "result.GroupResult.parent",
    "result.GroupResult.results",
)
def test_a_group_is_found_again_by_its_id(app):
    inner = app.GroupResult("inner", [app.AsyncResult("b")])
    saved = app.GroupResult("g", [app.AsyncResult("a"), inner], parent=app.AsyncResult("p"))
    assert saved.save() is saved
    found = GroupResult.restore("g", app=app)
    assert isinstance(found, GroupResult)
    assert found == saved
    assert found.as_tuple() == saved.as_tuple()
    end(app, a=1, b=2)
    assert found.get(timeout=5) == [1, [2]]
    found.delete()
    assert GroupResult.restore("g", app=app) is None
    assert app.AsyncResult("a").get(timeout=5) == 1


@pytest.mark.covers("result.GroupResult.save", "result.GroupResult.restore", "result.GroupResult.delete")
def test_a_group_is_saved_to_the_store_that_is_given(make_app):
    app = make_app()
    other = MemoryBackend(app, "memory://another-store-of-this-test")
    app.GroupResult("g", [app.AsyncResult("a")]).save(backend=other)
    assert GroupResult.restore("g", app=app) is None
    assert GroupResult.restore("g", backend=other, app=app).results == ["a"]
    app.GroupResult("g").delete(backend=other)
    assert GroupResult.restore("g", backend=other, app=app) is None


def test_a_saved_group_expires_with_the_results(make_app, tmp_path, monkeypatch):
    monkeypatch.setenv("CELERIAC_PLUGINS_ALLOW", "memory,sqlite")
    for url in ("memory://expiring-groups", f"sqlite:///{tmp_path / 'results.db'}"):
        app = make_app(backend=url)
        app.conf.result_expires = 0.000001
        app.GroupResult("g", [app.AsyncResult("a")]).save()
        threading.Event().wait(0.01)
        assert GroupResult.restore("g", app=app) is None
        app.backend.cleanup()


@pytest.mark.covers("exceptions.BackendError")
def test_a_store_that_keeps_no_groups_says_so(make_app):
    class Plain(MemoryBackend):
        store_group = MemoryBackend.__mro__[1].store_group

    app = make_app(backend=Plain)
    with pytest.raises(BackendError, match="keeps no groups"):
        app.GroupResult("g").save()


def test_without_a_store_no_group_is_kept(make_app):
    app = make_app(backend=None)
    with pytest.raises(NotImplementedError, match="No result backend is configured"):
        app.GroupResult("g").save()


@pytest.mark.parametrize("kept", [5, "g", [], [[1, None], []], [["g", None], "ab"], [["g", [5]], []]])
def test_a_kept_group_that_is_none_is_refused(make_app, kept):
    app = make_app()
    app.backend.store_group("g", {"result": kept})
    with pytest.raises(ProtocolError, match=r"must be \[\[id, parent\], children\]"):
        GroupResult.restore("g", app=app)


def test_a_chain_of_any_length_crosses_the_wire(make_app):
    app = make_app()
    result = None
    for number in range(3000):
        result = app.AsyncResult(str(number), parent=result)
    found = result_from_tuple(result.as_tuple(), app)
    assert found.as_list() == result.as_list()


@pytest.mark.covers("result.GroupResult")
def test_a_group_can_be_pickled_and_told_by_its_id(app):
    group = app.GroupResult("g", [app.AsyncResult("a")], parent=app.AsyncResult("p"))
    again = pickle.loads(pickle.dumps(group))  # our own bytes
    assert again == group
    assert str(group) == "g"
    assert group == "g"
    assert bool(GroupResult("g", []))


# -- callbacks ---------------------------------------------------------------------------------------------------------


@pytest.mark.covers("result.AsyncResult.then")
def test_what_was_asked_for_then_is_called_when_the_end_is_known(app):
    told = []
    result = app.AsyncResult("a")
    assert result.then(told.append) is result
    assert not result.ready()
    assert told == []
    end(app, a=1)
    assert result.ready()
    assert told == [result]
    result.then(told.append, weak=True)
    assert told == [result, result]


@pytest.mark.covers("result.AsyncResult.then")
def test_an_error_of_a_callback_goes_where_it_was_told_to(app):
    def broken(result):
        raise OSError(result.id)

    errors = []
    end(app, a=LookupError("a"))
    app.AsyncResult("a").then(broken, on_error=errors.append).get(propagate=False, timeout=5)
    assert [str(error) for error in errors] == ["a"]
    with pytest.raises(OSError, match="a"):
        app.AsyncResult("a").then(broken).ready()


@pytest.mark.covers("result.ResultSet.then")
def test_a_set_calls_once_all_have_ended(app):
    told, barrier = [], []
    results = ResultSet([app.AsyncResult("a"), app.AsyncResult("b")], app=app, ready_barrier=lambda: barrier.append(1))
    results.then(told.append)
    end(app, a=1)
    assert not results.ready()
    assert told == []
    end(app, b=LookupError("b"))
    assert results.ready()
    assert told == [results]
    assert barrier == [1, 1]
    ResultSet([], app=app).then(told.append)
    assert len(told) == 2


# -- the guard ---------------------------------------------------------------------------------------------------------


def test_waiting_may_be_allowed_or_denied_for_a_while(app):
    end(app, a=1)
    result = app.AsyncResult("a")
    with denied_join_result():
        assert task_join_will_block()
        with pytest.raises(RuntimeError, match="Never call"):
            result.get(timeout=5)
        with pytest.raises(RuntimeError, match="Never call"):
            set_of(app, "a").get(timeout=5)
        with pytest.raises(RuntimeError, match="Never call"):
            list(set_of(app, "a").iterate(timeout=5))
        with pytest.raises(RuntimeError, match="Never call"):
            asyncio.run(result.aget(timeout=5))
        with allow_join_result():
            assert_will_not_block()
            assert result.get(timeout=5) == 1
        assert task_join_will_block()
        assert result.get(timeout=5, disable_sync_subtasks=False) == 1
    assert not task_join_will_block()


# -- eager -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "result.EagerResult",
    "result.EagerResult.get",
    "result.EagerResult.wait",
    "result.EagerResult.supports_native_join",
    "result.EagerResult.revoke",
)
def test_an_eager_result_has_all_that_others_have(app):
    result = EagerResult("id", 5, "SUCCESS", name="add")
    with denied_join_result():
        assert result.get(timeout=1) == result.wait() == 5
    assert asyncio.run(result.aget()) == 5
    assert (result.name, result.supports_native_join, result.children) == ("add", False, [])
    assert result.get_leaf() == 5
    assert list(result.collect()) == [(result, 5)]
    told = []
    result.then(told.append)
    assert told == [result]
    assert copy.copy(result).get() == 5
    assert app.GroupResult("g", [result, EagerResult("b", 6, "SUCCESS")]).get() == [5, 6]
    result.revoke()
    assert result.state == "REVOKED"


@pytest.mark.covers("result.EagerResult.exists", "result.EagerResult.forget", "result.EagerResult.ready")
@pytest.mark.covers("result.EagerResult.get", "result.EagerResult.throw")
def test_an_eager_result_is_ready_there_and_nobodys_to_forget(app):
    result = EagerResult("id", 5, "SUCCESS", traceback=None)
    result.app = app

    result.forget()

    assert (result.ready(), result.exists(), result.result, result.state) == (True, True, 5, "SUCCESS")
    assert (result.args, result.kwargs, result.worker, result.queue, result.date_done) == (None,) * 5
    assert app.AsyncResult("id").state == "PENDING"


def test_an_eager_failure_raises(app):
    failed = EagerResult("id", LookupError("x"), "FAILURE", "Traceback")
    failed.app = app
    with pytest.raises(LookupError):
        failed.get()
    assert isinstance(failed.get(propagate=False), LookupError)
    with pytest.raises(LookupError):
        failed.throw()
    with pytest.raises(OSError, match="given"):
        failed.throw(OSError("given"))
