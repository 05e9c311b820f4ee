"""Where tasks run: every job gives one report, and its result is stored before that report may leave."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from celeriac import Task, signals
from celeriac.app.base import Celery
from celeriac.contracts import Fixup, Job
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import Ignore, Reject, StoreUnavailable
from celeriac.protocol.headers import HEADER_KEYS
from celeriac.worker.execution import TaskExecutor, executor_factory


@pytest.fixture
def executor(app):
    return TaskExecutor(app, "test@host")


@pytest.fixture
def run(app, executor):
    """Return ``run(function, *args, options={}, **headers)``: runs it as a task, and flushes; gives the report."""

    def call(function, *args, options=None, body=None, content_type="application/json", **headers):
        task = app.task(name=f"proj.{function.__name__}", **(options or {}))(function)
        task.bind(app)
        return executor.flush([executor.run(job(task.name, *args, body=body, content_type=content_type, **headers))])[0]

    return call


def job(name, *args, number=1, body=None, content_type="application/json", **headers):
    if body is None:
        body = json.dumps([args, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()
    headers = {"task": name, "id": f"id-{number}", **headers}
    info = {"exchange": "", "routing_key": "celery", "priority": 0, "redelivered": False}
    return Job(number, headers, body, content_type, "utf-8", info, {"reply_to": "q", "correlation_id": "id-1"})


# -- endings -----------------------------------------------------------------------------------------------------------


def test_a_task_that_returns_is_a_success_whose_result_is_stored(store, run):
    def work(x, y):
        return x + y

    report = run(work, 2, 3)
    assert (report.kind, report.detail, report.stored) == (OutcomeKind.SUCCESS, "5", None)
    assert report.runtime >= 0
    assert (store.results["id-1"]["status"], store.results["id-1"]["result"]) == ("SUCCESS", 5)


@pytest.mark.parametrize("error", [ValueError("no"), KeyError(), GeneratorExit(), RecursionError("deep")], ids=repr)
def test_a_task_that_raises_is_a_failure_whose_error_is_stored(store, run, error):
    def work():
        raise error

    report = run(work)
    assert report.kind is OutcomeKind.FAILURE
    assert store.results["id-1"]["status"] == "FAILURE"
    assert store.results["id-1"]["result"]["exc_type"] == type(error).__name__
    assert "raise error" in store.results["id-1"]["traceback"]


@pytest.mark.parametrize(
    ("raised", "kind", "requeue"),
    [
        (Ignore(), OutcomeKind.IGNORED, False),
        (Reject("no", requeue=True), OutcomeKind.REJECTED, True),
    ],
)
def test_a_task_may_say_what_becomes_of_its_message(store, run, raised, kind, requeue):
    def work():
        raise raised

    report = run(work)
    assert (report.kind, report.requeue) == (kind, requeue)
    assert store.results == {}


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_what_ends_a_process_passes(run, error):
    def work():
        raise error

    with pytest.raises(type(error)):
        run(work)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"[1, 2]", "expected the 3 elements"),
        (b'[7, {}, {"chord": null}]', "args"),
        (b"[" * 100_000, "nested"),
    ],
    ids=["empty", "no text", "too short", "wrong args", "deep"],
)
def test_a_body_that_cannot_be_read_is_invalid_and_the_caller_learns_why(store, run, body, told):
    def work():
        raise AssertionError("it must not run")

    report = run(work, body=body)
    assert report.kind is OutcomeKind.INVALID
    assert told in report.detail
    assert store.results["id-1"]["status"] == "FAILURE"


def test_content_that_is_not_accepted_is_never_decoded(store, run):
    def work():
        raise AssertionError("it must not run")

    report = run(work, body=b"cos\nsystem\n(S'false'\ntR.", content_type="application/x-python-serialize")
    assert report.kind is OutcomeKind.INVALID
    assert store.results["id-1"]["result"]["exc_type"] == "ContentDisallowed"


def test_a_result_that_cannot_be_stored_as_it_is_becomes_a_failure(app, store, run, monkeypatch):
    from celeriac.exceptions import SerializationError

    kept = type(store).store

    def refuse(self, results):
        for result in results:
            if not isinstance(result.meta["result"], dict | str | int | type(None)):
                raise SerializationError("not serialisable")
        kept(self, results)

    monkeypatch.setattr(type(store), "store", refuse)

    def work():
        return object()

    report = run(work)
    assert report.kind is OutcomeKind.FAILURE
    assert store.results["id-1"]["status"] == "FAILURE"
    assert store.results["id-1"]["result"]["exc_type"] == "SerializationError"


@pytest.mark.covers(
    "app.task.Task.store_errors_even_if_ignored",
    "settings.task_store_errors_even_if_ignored",
    "app.task.Task.ignore_result",
)
def test_results_that_nobody_wants_are_not_stored_unless_they_are_errors_that_somebody_does(store, run):
    def good():
        return 1

    def bad():
        raise ValueError

    assert run(good, options={"ignore_result": True}).kind is OutcomeKind.SUCCESS
    assert run(good, ignore_result=True).kind is OutcomeKind.SUCCESS
    assert run(bad, options={"ignore_result": True}).kind is OutcomeKind.FAILURE
    assert store.results == {}

    def kept():
        raise ValueError

    run(kept, options={"ignore_result": True, "store_errors_even_if_ignored": True})
    assert store.results["id-1"]["status"] == "FAILURE"


# -- the store is away -------------------------------------------------------------------------------------------------


def test_results_wait_for_a_store_that_is_away(store, run, monkeypatch, caplog):
    def work():
        return 1

    def come_back(_pause):
        slept.append(1)
        store.is_away = len(slept) < 12

    # More often than any single call of the store is tried again
    slept: list[int] = []
    monkeypatch.setattr("time.sleep", come_back)
    store.is_away = True
    assert run(work).kind is OutcomeKind.SUCCESS
    assert store.results["id-1"]["result"] == 1
    assert caplog.text.count("A result waits for the store: the store is away. Trying again in") == 1
    assert "Results are stored again, after" in caplog.text


@pytest.fixture
def impatient(app):
    app.conf.update(result_backend_always_retry=True, result_backend_max_retries=0)


def test_a_store_that_stays_away_is_told_of_as_such(store, run, impatient, caplog):
    def work():
        return 1

    store.is_away = True
    report = run(work)
    assert (report.kind, report.stored) == (OutcomeKind.STORE_FAILED, None)
    assert "the store is away" in report.detail
    assert "could not be stored" in caplog.text


def test_a_job_without_a_result_does_not_care_whether_the_store_is_there(store, run, impatient):
    def work():
        return 1

    store.is_away = True
    assert run(work, ignore_result=True).kind is OutcomeKind.SUCCESS


def test_a_store_with_a_fault_of_its_own_is_told_of_in_the_same_way(store, run, monkeypatch, caplog):
    def break_down(self, results):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(type(store), "store", break_down)

    def work():
        return 1

    assert run(work).kind is OutcomeKind.STORE_FAILED
    assert "on purpose" in caplog.text


def test_a_start_that_the_store_cannot_be_told_of_does_not_keep_the_task_from_running(store, run, impatient, caplog):
    ran = []

    def work():
        ran.append(store.is_away)
        store.is_away = False
        return 1

    store.is_away = True
    report = run(work, options={"track_started": True})
    assert ran == [True]
    assert report.kind is OutcomeKind.SUCCESS
    assert "the result store was not told" in caplog.text


@pytest.mark.covers("app.task.Task.track_started", "settings.task_track_started", "states.STARTED")
def test_a_start_is_stored_before_the_task_runs(store, run):
    seen = []

    def work():
        seen.append(store.results["id-1"])

    run(work, options={"track_started": True})
    [started] = seen
    assert started["status"] == "STARTED"
    assert started["result"]["hostname"] == "test@host"
    assert store.results["id-1"]["status"] == "SUCCESS"


def test_many_results_are_stored_in_one_batch_and_the_reports_keep_their_order(app, store, executor):
    app.task(name="proj.work")(lambda x: x)
    reports = [executor.run(job("proj.work", number, number=number)) for number in range(50)]
    flushed = executor.flush(reports)
    assert [report.number for report in flushed] == list(range(50))
    assert store.batches == [50]


def test_results_may_be_flushed_by_another_thread_while_tasks_run(app, store, executor):
    app.task(name="proj.work")(lambda x: x)
    waiting, flushed, ended = SimpleQueue(), [], threading.Event()

    def flush():
        while not ended.is_set() or not waiting.empty():
            flushed.extend(executor.flush([waiting.get() for _ in range(waiting.qsize())]))

    thread = threading.Thread(target=flush)
    thread.start()
    for number in range(500):
        waiting.put(executor.run(job("proj.work", number, number=number)))
    ended.set()
    thread.join(20)
    assert [report.number for report in flushed] == list(range(500))
    assert {store.results[f"id-{number}"]["result"] for number in range(500)} == set(range(500))


# -- around the task ---------------------------------------------------------------------------------------------------


def test_the_request_knows_what_the_message_said(run):
    seen = []

    def work(self, x):
        request = self.request
        seen.append((request.id, request.args, request.retries, request.hostname, request.delivery_info["routing_key"]))
        seen.append((request.headers, request.tenant, request.reply_to, request.called_directly))

    run(work, 7, options={"bind": True}, retries=2, tenant="a")
    assert seen[0] == ("id-1", [7], 2, "test@host", "celery")
    assert seen[1] == ({"tenant": "a"}, "a", "q", False)


@pytest.mark.parametrize(
    "name",
    ["get", "update", "children", "_children", "__dict__", "__class__", "priority", "headers", "is_eager", "args"],
)
def test_a_header_cannot_stand_for_a_part_of_the_request(store, run, name):
    def work(self):
        assert self.request.get("id") == "id-1"
        assert self.request.children == []
        assert self.request.is_eager is False
        assert self.request.args == []
        return self.request.headers

    report = run(work, options={"bind": True}, **{name: "hostile"})
    assert report.kind is OutcomeKind.SUCCESS, report.detail
    assert store.results["id-1"]["result"] == {name: "hostile"}


@pytest.mark.parametrize("method", ["on_task_start", "on_task_end"])
def test_a_fixup_that_fails_fails_the_task_and_not_the_process(app, store, run, method):
    def fail(self, *args):
        raise ZeroDivisionError("of a fixup")

    app.__dict__["fixups"] = [type("Broken", (Fixup,), {method: fail})(app)]

    def work():
        return 1

    report = run(work)
    assert report.kind is OutcomeKind.FAILURE
    assert store.results["id-1"]["result"]["exc_type"] == "ZeroDivisionError"


def test_an_error_that_cannot_even_be_shown_is_a_failure_like_any_other(store, run):
    class Unspeakable(Exception):
        def __str__(self):
            raise ValueError("no words")

        __repr__ = __str__

    def work():
        raise Unspeakable

    assert run(work).kind is OutcomeKind.FAILURE
    assert store.results["id-1"]["status"] == "FAILURE"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def shared_executor():
    app = Celery("proj", broker="memory://", backend="memory://", set_as_current=False)
    app.task(name="proj.work")(lambda *args, **kwargs: 1)
    yield TaskExecutor(app, "test@host")
    app.close()


@given(extra=st.dictionaries(st.text(max_size=12).filter(lambda key: key not in HEADER_KEYS), json_values, max_size=8))
def test_any_extra_headers_give_a_report(shared_executor, extra):
    found = shared_executor.run(job("proj.work")._replace(headers={"task": "proj.work", "id": "x", **extra}))
    assert found.kind in {OutcomeKind.SUCCESS, OutcomeKind.INVALID}  # invalid: `compression` of no known kind


@given(body=st.one_of(st.binary(max_size=100), json_values.map(lambda value: json.dumps(value).encode())))
def test_any_body_gives_a_report(shared_executor, body):
    found = shared_executor.run(job("proj.work", body=body))
    assert found.kind in {OutcomeKind.SUCCESS, OutcomeKind.INVALID, OutcomeKind.FAILURE}


# -- processes and threads ---------------------------------------------------------------------------------------------


def test_an_executor_in_the_workers_own_process_announces_no_process(app):
    heard = []
    signals.worker_process_init.connect(lambda **_: heard.append(1), weak=False, dispatch_uid="here")
    try:
        executor_factory(app, "test@host")()
    finally:
        signals.worker_process_init.disconnect(dispatch_uid="here")
    assert heard == []


def test_an_executor_in_a_child_tells_loader_fixups_and_signal_of_the_process(app, monkeypatch):
    told = []
    app.__dict__["fixups"] = [type("Told", (Fixup,), {"on_process_init": lambda self: told.append("fixup")})(app)]
    monkeypatch.setattr(type(app.loader), "on_worker_process_init", lambda self: told.append("loader"))
    signals.worker_process_init.connect(lambda **_: told.append("signal"), weak=False, dispatch_uid="child")
    make = executor_factory(app, "test@host")
    monkeypatch.setattr("os.getpid", lambda: -1)  # as in a child, whose id differs
    try:
        make()
    finally:
        signals.worker_process_init.disconnect(dispatch_uid="child")
    assert told == ["loader", "fixup", "signal"]


def test_a_store_that_is_away_raises_what_its_contract_says(store):
    store.is_away = True
    with pytest.raises(StoreUnavailable):
        store.store([])


# -- values that cannot be encoded -------------------------------------------------------------------------------------


class Telling(Task):
    """Notes what it is told."""

    abstract = True
    told: ClassVar[list[str]] = []

    def on_success(self, retval, task_id, args, kwargs):
        self.told.append("success")

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.told.append(type(exc).__name__)

    def after_return(self, status, *args):
        self.told.append(status)


def test_a_value_that_cannot_be_encoded_is_a_failure_to_all_who_are_told(store, run):
    def opaque():
        return object()

    Telling.told.clear()
    heard = []

    def on_failure(sender, exception, **kwargs):
        heard.append(type(exception).__name__)

    with _heard(on_failure):
        report = run(opaque, options={"base": Telling})
    assert report.kind is OutcomeKind.FAILURE
    assert Telling.told == ["SerializationError", "FAILURE"]
    assert heard == ["SerializationError"]
    assert store.results["id-1"]["status"] == "FAILURE"


@contextmanager
def _heard(receiver):
    signals.task_failure.connect(receiver, weak=False)
    try:
        yield
    finally:
        signals.task_failure.disconnect(receiver)


def test_a_value_that_nobody_stores_need_not_be_encoded(store, run):
    def opaque():
        return object()

    Telling.told.clear()
    assert run(opaque, options={"base": Telling, "ignore_result": True}).kind is OutcomeKind.SUCCESS
    assert Telling.told == ["success", "SUCCESS"]
