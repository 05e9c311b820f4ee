"""The result of one task: waiting for it, asking it, passing it on."""

from __future__ import annotations

import copy
import pickle
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from celeriac import states
from celeriac.exceptions import (
    ChordError,
    ProtocolError,
    SecurityError,
    TaskError,
    TaskRevokedError,
    TimeoutError,
)
from celeriac.results import AsyncResult, EagerResult


@pytest.fixture
def store(app) -> Callable[..., AsyncResult]:
    """Return ``store(task_id, state, result, **meta)``: put into the store, as a worker would."""

    def put(task_id, state="SUCCESS", result=None, traceback=None, request=None):
        app.results.store_state(task_id, state, result, traceback=traceback, request=request)
        return app.AsyncResult(task_id)

    return put


# -- asking ------------------------------------------------------------------------------------------------------------


@pytest.mark.covers(
    "result.AsyncResult.state",
    "result.AsyncResult.status",
    "result.AsyncResult.info",
    "result.AsyncResult.exists",
    "result.AsyncResult.children",
    "states.PENDING",
)
def test_a_task_that_nobody_has_heard_of_is_pending(app):
    result = app.AsyncResult("unknown")
    assert (result.state, result.status, result.result, result.info, result.traceback) == ("PENDING",) * 2 + (None,) * 3
    assert (result.ready(), result.successful(), result.failed(), result.exists()) == (False,) * 4
    assert (result.children, result.date_done) == (None, None)


@pytest.mark.covers(
    "result.AsyncResult.state",
    "result.AsyncResult.result",
    "result.AsyncResult.ready",
    "result.AsyncResult.successful",
    "result.AsyncResult.exists",
    "result.AsyncResult.date_done",
    "states.SUCCESS",
)
def test_a_result_tells_how_it_ended(store):
    before = datetime.now(UTC)
    result = store("i", "SUCCESS", [1, {"a": None}])
    assert (result.state, result.result, result.ready(), result.successful()) == (
        "SUCCESS",
        [1, {"a": None}],
        True,
        True,
    )
    assert result.exists()
    assert before <= result.date_done <= datetime.now(UTC)


@pytest.mark.covers("result.AsyncResult.state", "result.AsyncResult.info", "result.AsyncResult.ready", "states.STARTED")
def test_a_state_that_is_not_final_is_asked_for_anew(store):
    result = store("i", "STARTED", {"pid": 1})
    assert (result.state, result.info, result.ready()) == ("STARTED", {"pid": 1}, False)
    store("i", "SUCCESS", 2)
    assert (result.state, result.result) == ("SUCCESS", 2)


@pytest.mark.covers("result.AsyncResult.get", "result.AsyncResult.state")
def test_a_final_state_is_asked_for_once(store, app):
    result = store("i", "SUCCESS", 1)
    assert result.get(timeout=1) == 1
    app.results.forget(["i"])
    assert (result.state, result.get()) == ("SUCCESS", 1)
    assert app.AsyncResult("i").state == "PENDING"


@pytest.mark.covers(
    "result.AsyncResult.name",
    "result.AsyncResult.args",
    "result.AsyncResult.kwargs",
    "result.AsyncResult.worker",
    "result.AsyncResult.retries",
    "result.AsyncResult.queue",
    "settings.result_extended",
)
def test_more_is_known_where_that_is_asked_for(make_app, start_worker):
    app = make_app(result_extended=True)

    @app.task(name="t")
    def job(x, y):
        return x + y

    start_worker(app, hostname="w@h")
    result = job.apply_async((1,), {"y": 2}, retries=1, queue="celery")
    result.get(timeout=10)
    assert (result.name, result.args, result.kwargs) == ("t", [1], {"y": 2})
    assert (result.worker, result.retries, result.queue) == ("w@h", 1, "celery")


# -- waiting -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("result.AsyncResult.get", "result.AsyncResult.wait")
def test_get_waits_until_the_task_has_ended(store, app):
    result = app.AsyncResult("i")
    timer = threading.Timer(0.05, store, ("i", "SUCCESS", 7))
    timer.start()
    assert result.get(timeout=10) == 7
    assert result.wait(timeout=10) == 7
    timer.join()


@pytest.mark.covers("result.AsyncResult.get", "result.AsyncResult.TimeoutError", "exceptions.TimeoutError")
@pytest.mark.parametrize("state", [None, "STARTED", "RETRY", "CUSTOM"])
def test_a_timeout_names_the_task_and_the_likely_cause(app, store, state):
    if state:
        store("the-id", state, {"a": 1} if state != "RETRY" else OSError())
    begun = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        app.AsyncResult("the-id").get(timeout=0.05)
    assert time.monotonic() - begun >= 0.05
    assert str(caught.value) == (
        "no result after 0.05 s from the-id: is a worker running that listens to the task's queue?"
    )
    assert isinstance(caught.value, AsyncResult.TimeoutError)


def test_a_timeout_of_nothing_takes_what_is_there(store, app):
    with pytest.raises(TimeoutError):
        app.AsyncResult("i").get(timeout=0)


@pytest.mark.covers("result.AsyncResult.get")
def test_interval_message_and_callback_are_told(store, app):
    ticks, messages, called = [], [], []
    result = app.AsyncResult("i")

    def tick():
        ticks.append(1)
        if len(ticks) == 3:
            store("i", "STARTED", {})
            store("i", "SUCCESS", 7)

    value = result.get(
        timeout=10,
        interval=0.01,
        on_interval=tick,
        on_message=lambda meta: messages.append(meta["status"]),
        callback=lambda task_id, value: called.append((task_id, value)),
    )
    assert value == 7
    assert len(ticks) == 3
    assert messages[-1] == "SUCCESS"
    assert called == [("i", 7)]


def test_several_threads_may_wait_for_one_result(store, app):
    result = app.AsyncResult("i")
    barrier = threading.Barrier(5)
    found = []

    def wait():
        barrier.wait(10)
        found.append(result.get(timeout=10))

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    barrier.wait(10)
    store("i", "SUCCESS", 7)
    for thread in threads:
        thread.join(10)
    assert found == [7] * 4


@pytest.mark.covers("result.AsyncResult.ignored", "result.AsyncResult.get", "settings.task_ignore_result")
def test_a_task_whose_result_is_ignored_is_not_waited_for(app):
    @app.task(ignore_result=True)
    def job():
        pass

    assert job.delay().get() is None
    assert app.send_task("t", ignore_result=True).get() is None


# -- errors ------------------------------------------------------------------------------------------------------------


class Unusual(Exception):
    def __init__(self, code, detail):
        self.code = code
        super().__init__(f"{code}: {detail}")


@pytest.mark.covers(
    "result.AsyncResult.get",
    "result.AsyncResult.failed",
    "result.AsyncResult.traceback",
    "result.AsyncResult.maybe_throw",
    "result.AsyncResult.maybe_reraise",
    "result.AsyncResult.throw",
    "states.FAILURE",
)
def test_an_error_is_raised_with_its_type_its_arguments_and_its_traceback(app, start_worker):
    @app.task
    def broken():
        try:
            {}["missing"]
        except KeyError as error:
            raise OSError(2, "no such thing") from error

    start_worker(app)
    result = broken.delay()
    with pytest.raises(OSError, match="no such thing") as caught:
        result.get(timeout=10)
    assert caught.value.args == (2, "no such thing")
    assert isinstance(caught.value.__cause__, KeyError)
    assert (result.state, result.failed(), type(result.result)) == ("FAILURE", True, FileNotFoundError)
    assert re.search(r"Traceback.*in broken.*FileNotFoundError", result.traceback, re.DOTALL)
    assert isinstance(result.get(propagate=False), OSError)
    for again in (result.maybe_throw, result.maybe_reraise, result.throw):
        with pytest.raises(OSError, match="no such thing"):
            again()
    assert isinstance(result.maybe_throw(propagate=False), OSError)


@pytest.mark.covers("settings.task_remote_tracebacks")
def test_the_workers_traceback_is_shown_with_the_error_where_that_is_asked_for(make_app, store, app):
    app.conf.task_remote_tracebacks = True
    result = store("i", "FAILURE", LookupError("a"), traceback="Traceback of the worker")
    with pytest.raises(LookupError) as caught:
        result.get(timeout=1)
    assert caught.value.__notes__ == ["Traceback in the worker:\nTraceback of the worker"]


def test_an_error_whose_class_takes_other_arguments_is_still_of_that_class(store):
    result = store("i", "FAILURE", Unusual(5, "odd"))
    with pytest.raises(Unusual, match="5: odd"):
        result.get(timeout=1)


@pytest.mark.covers("result.AsyncResult.get", "exceptions.TaskRevokedError", "states.REVOKED")
@pytest.mark.parametrize(
    ("error", "expected"), [(TaskRevokedError("expired"), "expired"), (None, "ended as REVOKED, and its result")]
)
def test_a_revoked_task_raises(store, error, expected):
    with pytest.raises(TaskRevokedError, match=expected):
        store("i", "REVOKED", error).get(timeout=1)


@pytest.mark.covers("exceptions.TaskError")
def test_a_failure_that_does_not_say_why_still_raises(store):
    with pytest.raises(TaskError, match="task i ended as FAILURE, and its result does not say why: None"):
        store("i", "FAILURE", None).get(timeout=1)


@pytest.mark.covers("result.AsyncResult.get", "states.PROPAGATE_STATES")
def test_what_counts_as_a_failure_may_be_said(store):
    result = store("i", "FAILURE", LookupError("a"))
    assert isinstance(result.get(timeout=1, PROPAGATE_STATES=frozenset()), LookupError)


@pytest.mark.covers("exceptions.SecurityError")
def test_a_stored_error_that_is_no_exception_is_refused(store):
    result = store("i", "FAILURE", {"exc_type": "system", "exc_message": ["true"], "exc_module": "os"})
    with pytest.raises(SecurityError, match="no exception class"):
        result.get(timeout=1)
    with pytest.raises(ProtocolError):
        _ = store("j", "FAILURE", {"exc_type": 5}).result


# -- before and after --------------------------------------------------------------------------------------------------


@pytest.mark.covers("result.AsyncResult.children", "app.task.Task.trail")
def test_children_are_the_results_of_the_tasks_that_it_called(app, start_worker):
    @app.task(name="leaf")
    def leaf(x):
        return x

    @app.task(name="root")
    def root():
        return [leaf.delay(1).id, leaf.delay(2).id]

    start_worker(app)
    result = root.delay()
    ids = result.get(timeout=10)
    assert [child.id for child in result.children] == ids
    assert [child.get(timeout=10) for child in result.children] == [1, 2]


@pytest.mark.covers("result.AsyncResult.get", "result.AsyncResult.parent")
def test_a_failed_ancestor_is_raised_because_what_follows_never_runs(app, store):
    first, second = app.AsyncResult("first"), app.AsyncResult("second", parent=app.AsyncResult("first"))
    third = app.AsyncResult("third", parent=second)
    timer = threading.Timer(0.05, store, ("first", "FAILURE", LookupError("first")))
    timer.start()
    with pytest.raises(LookupError, match="first"):
        third.get(timeout=10)
    timer.join()
    with pytest.raises(LookupError):
        app.AsyncResult("third", parent=app.AsyncResult("x", parent=first)).get(timeout=1)
    with pytest.raises(TimeoutError):
        app.AsyncResult("third", parent=first).get(timeout=0.05, propagate=False)
    with pytest.raises(TimeoutError):
        app.AsyncResult("third", parent=app.AsyncResult("first")).get(timeout=0.05, follow_parents=False)


def test_an_ancestor_without_a_result_is_not_waited_for(app, store):
    parent = app.AsyncResult("never stored", parent=app.GroupResult("g", [app.AsyncResult("neither")]))
    store("last", "SUCCESS", 3)
    begun = time.monotonic()
    assert app.AsyncResult("last", parent=parent).get(timeout=10) == 3
    assert time.monotonic() - begun < 5


@pytest.mark.covers("exceptions.ChordError")
def test_what_follows_a_group_is_told_of_its_failure_by_its_own_result(app, store):
    store("b", "FAILURE", LookupError("b"))
    before = app.GroupResult("g", [app.AsyncResult("a"), app.AsyncResult("b")])
    with pytest.raises(TimeoutError):
        app.AsyncResult("last", parent=before).get(timeout=0.05)
    store("last", "FAILURE", ChordError("Dependency b raised LookupError('b')"))
    with pytest.raises(ChordError, match="Dependency b"):
        app.AsyncResult("last", parent=before).get(timeout=10)


@pytest.mark.covers("result.AsyncResult.as_list")
def test_a_long_line_of_ancestors_is_no_burden(app, store):
    result = None
    for number in range(500):
        result = app.AsyncResult(str(number), parent=result)
    store("499", "SUCCESS", 1)
    begun = time.monotonic()
    assert result.get(timeout=10) == 1
    assert time.monotonic() - begun < 5
    assert result.as_list()[:2] == ["499", "498"]
    assert len(result.as_list()) == 500


@pytest.mark.covers("result.AsyncResult.forget")
def test_forgetting_removes_it_and_those_before_it(app, store):
    store("first", "SUCCESS", 1)
    result = store("second", "SUCCESS", 2)
    result.parent = app.AsyncResult("first")
    result.forget()
    assert (app.AsyncResult("first").state, app.AsyncResult("second").state, result.state) == ("PENDING",) * 3


# -- passing on --------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.AsyncResult", "app.base.Celery.GroupResult")
@pytest.mark.covers("result.AsyncResult.as_tuple", "result.GroupResult.as_tuple", "result.AsyncResult.app")
def test_a_result_crosses_the_wire_as_a_tuple(app):
    parent = app.AsyncResult("p")
    result = app.AsyncResult("i", parent=parent)
    assert result.as_tuple() == (("i", (("p", None), None)), None)
    back = app.results.from_tuple([["i", [["p", None], None]], None])
    assert (type(back), back.id, back.parent.id, back.app) == (app.AsyncResult, "i", "p", app)
    group = app.GroupResult("g", [result, app.GroupResult("h", [parent])])
    again = app.results.from_tuple(group.as_tuple())
    assert (type(again), again.id, again.results[0].id, again.results[1].results[0].id) == (
        app.GroupResult,
        "g",
        "i",
        "p",
    )
    assert app.results.from_tuple(group) is group
    assert app.results.from_tuple(["i", None]).id == "i"


@pytest.mark.parametrize("value", ["text", [1], [1, 2, 3], {}, [["i"]], [[None, None], None]])
def test_what_is_no_such_tuple_is_refused(app, value):
    with pytest.raises(ProtocolError):
        app.results.from_tuple(value)


@pytest.mark.covers("result.AsyncResult", "result.AsyncResult.task_id", "result.AsyncResult.id")
def test_results_are_equal_by_id_and_can_be_kept_in_sets(app):
    one, same, other = app.AsyncResult("i"), app.AsyncResult("i"), app.AsyncResult("j")
    assert one == same == "i"
    assert one != other
    assert one != 5
    assert {one, same, other} == {one, other}
    assert (str(one), repr(one), one.task_id) == ("i", "<AsyncResult: i>", "i")


@pytest.mark.covers("result.AsyncResult", "result.AsyncResult.app")
def test_a_result_can_be_pickled_and_copied(make_app):
    app = make_app(set_as_current=True)
    result = app.AsyncResult("i", task_name="t", parent=app.AsyncResult("p"))
    for back in (pickle.loads(pickle.dumps(result)), copy.copy(result), copy.deepcopy(result)):
        assert (back.id, back.task_name, back.parent.id, back.app) == ("i", "t", "p", app)


@pytest.mark.covers("result.EagerResult", "result.EagerResult.revoke")
def test_an_eager_result_can_be_pickled(make_app):
    app = make_app(set_as_current=True)

    @app.task(name="t")
    def job():
        return [1]

    result = job.apply()
    back = pickle.loads(pickle.dumps(result))
    assert (type(back), back.id, back.get(), back.state, back.task_name) == (
        EagerResult,
        result.id,
        [1],
        "SUCCESS",
        "t",
    )
    assert repr(back) == f"<EagerResult: {result.id}>"
    result.revoke()
    assert result.state == states.REVOKED


@pytest.mark.covers("app.task.Task.AsyncResult")
def test_a_task_makes_results_that_know_its_name(app, store):
    task = app.task(name="t")(lambda: None)
    store("i", "SUCCESS", 5)

    result = task.AsyncResult("i")

    assert (result.get(timeout=5), result.task_name, result.app) == (5, "t", app)
    assert task.AsyncResult("j", parent=result).parent is result


@pytest.mark.covers("result.AsyncResult")
def test_an_id_is_needed():
    with pytest.raises(ValueError, match="requires a valid id"):
        AsyncResult(None)


# -- inside a task -----------------------------------------------------------------------------------------------------


def test_waiting_inside_a_task_is_refused_in_words_that_say_what_to_do_instead(app, start_worker):
    @app.task(name="t")
    def waiting(how):
        other = app.AsyncResult("other")
        waits = {
            "one": other.get,
            "group": app.GroupResult("g", [other]).get,
            "sure": lambda: other.get(disable_sync_subtasks=False, timeout=0.01),
            "thread": lambda: in_a_thread(lambda: other.get(timeout=0.01)),
        }
        return waits[how]()

    def in_a_thread(function):
        caught = []

        def call():
            try:
                function()
            except Exception as error:  # noqa: BLE001  # whatever it is, it is raised here
                caught.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join(10)
        raise caught[0]

    start_worker(app)
    for how in ("one", "group"):
        with pytest.raises(RuntimeError, match=r"Never call result\.get\(\) within a task.*disable_sync_subtasks"):
            waiting.delay(how).get(timeout=10)
    for how in ("sure", "thread"):
        with pytest.raises(TimeoutError):
            waiting.delay(how).get(timeout=10)


def test_waiting_inside_an_eager_task_is_allowed(app, store):
    store("other", "SUCCESS", 5)

    @app.task
    def waiting():
        return app.AsyncResult("other").get(timeout=1)

    assert waiting.apply().get() == 5
