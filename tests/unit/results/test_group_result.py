"""The results of several tasks as one: waiting costs one subscription, and ends as soon as the answer is known."""

from __future__ import annotations

import threading
import time

import pytest

from celeriac.contracts import Backend
from celeriac.exceptions import TimeoutError
from celeriac.results import AsyncResult, GroupResult, ResultSet
from celeriac_memory.backend import MemoryBackend


@pytest.fixture
def store(app):
    def put(task_id, state="SUCCESS", result=None):
        app.results.store_state(task_id, state, result)
        return app.AsyncResult(task_id)

    return put


def results_of(app, *ids):
    return ResultSet([app.AsyncResult(task_id) for task_id in ids])


@pytest.mark.covers(
    "result.ResultSet.get",
    "result.ResultSet.join",
    "result.ResultSet.join_native",
    "result.ResultSet.app",
    "result.ResultSet.results",
)
def test_all_values_come_in_the_order_of_the_tasks(app, store):
    results = results_of(app, *"abc")
    for task_id in "cab":
        store(task_id, "SUCCESS", task_id.upper())
    assert results.get(timeout=1) == results.join(timeout=1) == results.join_native(timeout=1) == ["A", "B", "C"]
    assert results.app is app
    assert (len(results), [result.id for result in results], results[1].id) == (3, ["a", "b", "c"], "b")


@pytest.mark.covers(
    "result.ResultSet.ready",
    "result.ResultSet.waiting",
    "result.ResultSet.completed_count",
    "result.ResultSet.failed",
    "result.ResultSet.successful",
)
def test_they_are_asked_together(app, store):
    results = results_of(app, *"abc")
    assert (results.ready(), results.waiting(), results.completed_count()) == (False, True, 0)
    store("a")
    store("b", "FAILURE", LookupError())
    assert (results.completed_count(), results.failed(), results.successful()) == (1, True, False)
    store("c")
    assert (results.ready(), results.waiting(), results.completed_count()) == (True, False, 2)
    all_good = results_of(app, "a", "c")
    assert (all_good.successful(), all_good.failed()) == (True, False)


def test_none_are_there_at_once(app):
    results = GroupResult("g", [], app=app)
    assert results.get(timeout=1) == []
    assert (results.ready(), results.successful(), results.completed_count()) == (True, True, 0)


def test_a_timeout_names_some_of_those_that_are_missing(app, store):
    store("a", "SUCCESS", 1)
    with pytest.raises(TimeoutError, match=r"from b, c, d and 2 more: is a worker running"):
        results_of(app, *"abcdef").get(timeout=0.05)


@pytest.mark.covers("result.ResultSet.get")
def test_the_first_error_in_order_is_raised_as_soon_as_it_is_known(app, store):
    results = results_of(app, *"abc")
    store("a", "SUCCESS", 1)
    store("b", "FAILURE", LookupError("b"))
    with pytest.raises(LookupError, match="b"):
        results.get(timeout=10)  # c never ends
    assert [type(value) for value in results_of(app, "a", "b").get(timeout=1, propagate=False)] == [int, LookupError]


@pytest.mark.covers("result.ResultSet.join")
def test_joined_in_order_an_error_of_a_later_one_waits_for_those_before_it(app, store):
    store("b", "FAILURE", LookupError("b"))
    with pytest.raises(TimeoutError):
        results_of(app, "a", "b").join(timeout=0.05)
    timer = threading.Timer(0.05, store, ("a", "FAILURE", OSError("a")))
    timer.start()
    with pytest.raises(OSError, match="a"):
        results_of(app, "a", "b").join(timeout=10)
    timer.join()


def test_else_the_first_error_that_comes_is_raised_at_once(app, store):
    store("b", "FAILURE", LookupError("b"))
    with pytest.raises(LookupError, match="b"):
        results_of(app, "a", "b").get(timeout=10)


def test_a_member_that_never_runs_because_one_before_it_failed_is_not_waited_for(app, store):
    store("before", "FAILURE", LookupError("before"))
    member = app.AsyncResult("never", parent=app.AsyncResult("before"))
    with pytest.raises(LookupError, match="before"):
        ResultSet([store("a"), member]).get(timeout=10)


def test_nested_groups_and_one_task_named_twice(app, store):
    store("a", "SUCCESS", 1)
    store("b", "SUCCESS", 2)
    inner = app.GroupResult("inner", [app.AsyncResult("a"), app.AsyncResult("b")])
    results = app.GroupResult("outer", [app.AsyncResult("a"), inner, app.AsyncResult("a")])
    assert results.get(timeout=1) == [1, [1, 2], 1]
    assert results.completed_count() == 3


@pytest.mark.covers("result.ResultSet.get")
def test_callback_message_and_interval_are_told(app, store):
    called, messages, ticks = [], [], []

    def tick():
        ticks.append(1)
        store("b", "SUCCESS", 2)

    store("a", "SUCCESS", 1)
    results_of(app, "a", "b").get(
        timeout=10,
        interval=0.01,
        callback=lambda task_id, value: called.append((task_id, value)),
        on_message=lambda meta: messages.append(meta["task_id"]),
        on_interval=tick,
    )
    assert called == [("a", 1), ("b", 2)]
    assert sorted(messages) == ["a", "b"]
    assert ticks


class Counting(MemoryBackend):
    """Counts how often it is asked."""

    watches = fetches = 0

    def watch(self):
        type(self).watches += 1
        return super().watch()

    def fetch(self, task_ids):
        type(self).fetches += 1
        return super().fetch(task_ids)


def test_waiting_for_a_thousand_costs_one_subscription_and_no_question_of_its_own(make_app, memory_url):
    app = make_app(backend=None)
    app.plugins.register_driver("backend", "counting", Counting)
    app.conf.result_backend = "counting://" + memory_url.partition("://")[2]
    assert issubclass(type(app.backend), Backend)
    ids = [str(number) for number in range(1000)]
    app.results.store([app.results.entry(task_id, "SUCCESS", number) for number, task_id in enumerate(ids)])
    Counting.watches = Counting.fetches = 0
    begun = time.monotonic()
    assert results_of(app, *ids).get(timeout=20) == list(range(1000))
    assert time.monotonic() - begun < 10
    assert Counting.watches <= 1
    assert Counting.fetches == 0
    fresh = results_of(app, *ids)
    assert fresh.ready()
    assert fresh.completed_count() == 1000
    assert Counting.fetches <= 2


@pytest.mark.covers(
    "result.GroupResult",
    "result.ResultSet",
    "result.GroupResult.as_tuple",
    "result.GroupResult.children",
    "result.GroupResult.id",
)
def test_a_group_is_equal_by_id_and_members_and_crosses_the_wire(app):
    members = [app.AsyncResult("a"), app.AsyncResult("b")]
    group = app.GroupResult("g", members)
    assert group.as_tuple() == (("g", None), [(("a", None), None), (("b", None), None)])
    assert group.children == members
    assert group == GroupResult("g", members, app=app)
    assert group != GroupResult("g", members[:1], app=app)
    assert group == "g"
    assert (str(group), repr(group)) == ("g", "<GroupResult: g [a, b]>")
    assert {group, GroupResult("g", members)} == {group}
    assert GroupResult(None, members).id
    assert repr(ResultSet(members)) == "<ResultSet: [a, b]>"
    assert ResultSet(members) == ResultSet(list(members))


@pytest.mark.covers("result.ResultSet.add", "result.ResultSet.forget")
def test_members_are_added_once_and_forgotten_together(app, store):
    results = ResultSet([store("a")])
    results.add(app.AsyncResult("a"))
    results.add(store("b"))
    assert [result.id for result in results] == ["a", "b"]
    results.forget()
    assert [AsyncResult(task_id, app=app).state for task_id in "ab"] == ["PENDING", "PENDING"]
