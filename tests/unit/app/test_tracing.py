"""One run of a task: handlers, signals, callbacks and errbacks, in order and with what they are promised."""

from __future__ import annotations

import pytest

from celeriac import signals
from celeriac.app.task import Task
from celeriac.contracts import Middleware
from celeriac.exceptions import Retry
from celeriac.plugin import hookimpl


@pytest.fixture
def told():
    return []


@pytest.fixture
def listen():
    """Return ``listen(signal, receiver, **options)``: connected until the test ends."""
    connected = []

    def connect(signal, receiver, **options):
        signal.connect(receiver, weak=False, **options)
        connected.append((signal, receiver, options.get("sender")))

    yield connect
    for signal, receiver, sender in connected:
        assert signal.disconnect(receiver, sender=sender)


@pytest.fixture
def observed(told):
    """A base class that notes each call of a handler."""

    class Observed(Task):
        abstract = True

        def before_start(self, task_id, args, kwargs):
            told.append(("before_start", task_id, args, kwargs))

        def on_success(self, retval, task_id, args, kwargs):
            told.append(("on_success", retval, task_id, args, kwargs))

        def on_retry(self, exc, task_id, args, kwargs, einfo):
            told.append(("on_retry", type(exc), task_id, args, kwargs, einfo.type))

        def on_failure(self, exc, task_id, args, kwargs, einfo):
            told.append(("on_failure", exc, task_id, args, kwargs, einfo))

        def after_return(self, status, retval, task_id, args, kwargs, einfo):
            told.append(("after_return", status, retval, task_id, args, kwargs, einfo))

    return Observed


# -- handlers ----------------------------------------------------------------------------------------------------------


def test_handlers_of_a_success(app, observed, told):
    @app.task(base=observed)
    def add(x, y):
        told.append("run")
        return x + y

    add.apply((1,), {"y": 2}, task_id="i")
    assert told == [
        ("before_start", "i", [1], {"y": 2}),
        "run",
        ("on_success", 3, "i", [1], {"y": 2}),
        ("after_return", "SUCCESS", 3, "i", [1], {"y": 2}, None),
    ]


def test_handlers_of_a_failure_have_the_error_and_where_it_was_raised(app, observed, told):
    error = LookupError("a")

    @app.task(base=observed)
    def broken():
        raise error

    broken.apply(task_id="i")
    _, failure, after = told
    assert failure[:5] == ("on_failure", error, "i", [], {})
    einfo = failure[5]
    assert (einfo.type, einfo.exception, einfo.tb) == (LookupError, error, error.__traceback__)
    assert "LookupError: a" in einfo.traceback == str(einfo)
    assert after[:4] == ("after_return", "FAILURE", error, "i")
    assert after[6] is einfo


def test_handlers_of_a_retry(app, observed, told):
    @app.task(base=observed, bind=True, default_retry_delay=0)
    def job(self):
        if not self.request.retries:
            raise self.retry(exc=LookupError("why"))

    job.apply(task_id="i")
    assert [entry[0] for entry in told] == [
        "before_start",
        "on_retry",
        "after_return",
        "before_start",
        "on_success",
        "after_return",
    ]
    # As in Celery: the handler of retries gets the reason, the one of all ends what has ended the run.
    assert (told[1][1], told[1][5].__name__) == (LookupError, "Retry")
    assert told[2][1] == "RETRY"
    assert isinstance(told[2][2], Retry)


def test_an_error_of_a_handler_is_logged_and_changes_nothing(app, caplog):
    def broken(self, *args):
        raise OSError("handler")

    @app.task(on_success=broken, after_return=broken)
    def job():
        return 1

    assert job.apply().get() == 1
    assert caplog.text.count("OSError: handler") == 2


@pytest.mark.covers("app.task.Task.before_start")
def test_an_error_before_the_start_is_the_tasks(app):
    def refuse(self, *args):
        raise PermissionError("not today")

    @app.task(before_start=refuse)
    def job():
        return 1

    assert isinstance(job.apply().result, PermissionError)


# -- signals -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("signals.task_prerun", "signals.task_postrun", "signals.task_success")
def test_signals_of_a_run_come_in_order_with_the_task_as_their_sender(app, told, listen):
    @app.task
    def add(x, y):
        return x + y

    def note(signal, sender, **named):
        assert sender is add
        told.append((signal.name, named))

    for signal in (signals.task_postrun, signals.task_success, signals.task_prerun, signals.task_failure):
        listen(signal, note, sender=add)
    add.apply((1,), {"y": 2}, task_id="i")
    (_, before), (_, success), (_, after) = told
    assert [name for name, _ in told] == ["task_prerun", "task_success", "task_postrun"]
    assert before == {"task_id": "i", "task": add, "args": [1], "kwargs": {"y": 2}}
    assert success["result"] == 3
    assert success["runtime"] >= 0
    assert (after["retval"], after["state"], after["task_id"]) == (3, "SUCCESS", "i")


def test_signals_of_a_failure_and_of_a_retry(app, told, listen):
    @app.task(bind=True, max_retries=1, default_retry_delay=0)
    def job(self):
        raise self.retry(exc=OSError("a"))

    listen(signals.task_retry, lambda sender, **named: told.append(("retry", sender, named)))
    listen(signals.task_failure, lambda sender, **named: told.append(("failure", sender, named)))
    job.apply(task_id="i")
    (_, sender, retry), (_, _, failure) = told
    assert sender is job
    assert (retry["request"].id, type(retry["reason"]).__name__, retry["einfo"].type.__name__) == (
        "i",
        "Retry",
        "Retry",
    )
    assert failure.keys() == {"task_id", "exception", "args", "kwargs", "traceback", "einfo", "signal"}
    assert (failure["task_id"], str(failure["exception"])) == ("i", "a")


def test_a_receiver_that_fails_does_not_fail_the_task(app, listen, caplog):
    def broken(**_):
        raise OSError("receiver")

    for signal in (signals.task_prerun, signals.task_success, signals.task_postrun):
        listen(signal, broken)

    @app.task
    def job():
        return 1

    assert job.apply().get() == 1
    assert caplog.text.count("OSError: receiver") == 3


def test_a_shared_task_is_heard_as_the_task_of_the_current_app(make_app, told, listen):
    from celeriac import shared_task

    app = make_app(set_as_current=True)

    @shared_task(name="shared.heard")
    def job():
        pass

    listen(signals.task_prerun, lambda task_id, **_: told.append(task_id), sender=job)
    app.tasks["shared.heard"].apply(task_id="i")
    app.tasks["celery.accumulate"].apply(task_id="other")
    assert told == ["i"]


# -- what follows ------------------------------------------------------------------------------------------------------


def test_callbacks_get_the_result_and_the_chain_goes_on(app, start_worker, told):
    @app.task(name="add", bind=True)
    def add(self, x, y):
        told.append((x, y, self.request.root_id, self.request.parent_id))
        return x + y

    @app.task(name="last")
    def last(x):
        return x

    start_worker(app)
    end = last.s()
    ended = end.freeze()
    result = add.apply_async(
        (1, 2), link=[add.s(10), add.si(5, 5)], chain=[dict(end), dict(add.s(100))], task_id="first"
    )
    assert ended.get(timeout=10) == 103
    assert result.get(timeout=10) == 3
    for child in result.children:
        child.get(timeout=10)
    assert told[0] == (1, 2, "first", None)
    assert sorted(told[1:]) == [(3, 10, "first", "first"), (3, 100, "first", "first"), (5, 5, "first", "first")]
    assert len(result.children) == 3


@pytest.fixture
def errbacks(app, told):
    @app.task(name="by_id")
    def by_id(task_id):
        told.append(("by_id", task_id))

    @app.task(name="by_id_more")
    def by_id_more(task_id, note):
        told.append(("by_id_more", task_id, note))

    @app.task(name="whole")
    def whole(request, exc, traceback):
        told.append(("whole", request.id, exc, "LookupError" in traceback))

    @app.task(name="whole_more")
    def whole_more(request, exc, traceback, note, mark=None):
        told.append(("whole_more", request.id, note, mark))

    @app.task(name="anything")
    def anything(*args):
        told.append(("anything", len(args)))

    @app.task(name="bound", bind=True)
    def bound(self, task_id):
        told.append(("bound", task_id, self.request.is_eager))

    @app.task(name="bound_whole", bind=True)
    def bound_whole(self, request, exc, traceback):
        told.append(("bound_whole", request.id))

    @app.task(name="nothing")
    def nothing():
        told.append(("nothing",))

    return app.tasks


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (lambda t: t["by_id"].s(), ("by_id", "i")),
        (lambda t: t["by_id_more"].s("n"), ("by_id_more", "i", "n")),
        (lambda t: t["whole"].s(), ("whole", "i", "error", True)),
        (lambda t: t["whole_more"].s("n", mark=1), ("whole_more", "i", "n", 1)),
        (lambda t: t["anything"].s(), ("anything", 3)),
        (lambda t: t["bound"].s(), ("bound", "i", True)),
        (lambda t: t["bound_whole"].s(), ("bound_whole", "i")),
        (lambda t: t["nothing"].si(), ("nothing",)),
    ],
)
def test_an_errback_gets_what_it_takes(app, errbacks, told, signature, expected):
    error = LookupError("a")

    @app.task
    def broken():
        raise error

    broken.apply(task_id="i", link_error=signature(errbacks))
    assert told == [tuple(error if part == "error" else part for part in expected)]


def test_an_errback_is_called_by_a_worker_once_each_and_one_that_cannot_be_does_not_stop_the_others(
    app, errbacks, told, start_worker, wait_until, caplog
):
    @app.task
    def broken():
        raise LookupError("a")

    start_worker(app)
    unknown = app.signature("not.registered.here", args=(1,))
    wrong = errbacks["by_id_more"].s()
    result = broken.apply_async(link_error=[wrong, errbacks["by_id"].s(), unknown, errbacks["whole"].s()])
    with pytest.raises(LookupError):
        result.get(timeout=10)
    wait_until(lambda: len(told) == 2)
    assert sorted(entry[:2] for entry in told) == [("by_id", result.id), ("whole", result.id)]
    assert "Could not call errback" in caplog.text
    assert "by_id_more(task_id, note): missing a required argument: 'note'" in caplog.text


def test_an_errback_is_not_called_by_a_retry_that_goes_well(app, errbacks, told):
    @app.task(bind=True, default_retry_delay=0)
    def job(self):
        if not self.request.retries:
            raise self.retry()

    job.apply(link_error=errbacks["by_id"].s())
    assert told == []


# -- layers ------------------------------------------------------------------------------------------------------------


def test_layers_around_the_execution_see_the_request_and_the_value(app, told):
    def layer(name):
        def call(request, call_next):
            told.append((name, request.task))
            return call_next(request) + 1

        return call

    class Layers:
        @hookimpl
        def celeriac_execute_middleware(self, app):
            return [Middleware(2, layer("inner")), Middleware(1, layer("outer"))]

    app.plugins.register(Layers())

    @app.task(name="t")
    def job():
        return 1

    assert job.apply().get() == 3
    assert told == [("outer", "t"), ("inner", "t")]


def test_what_ends_the_process_is_not_taken_for_an_outcome(app):
    @app.task
    def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        leave.apply()
    assert app.current_task is None
