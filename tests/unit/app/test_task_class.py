"""The class of tasks: bound to an app or not, its stack of requests, what it may say of its own run."""

from __future__ import annotations

from contextlib import contextmanager

import kombu.exceptions
import pytest

from celeriac import signals
from celeriac.app.task import Task
from celeriac.exceptions import MaxRetriesExceededError


class Greet(Task):
    name = "greet"

    def run(self, name):
        return f"hello {name}"


# -- the app -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.app")
def test_the_app_of_a_class_is_the_current_one_until_it_is_bound(make_app):
    class Own(Greet):
        pass

    app, other = make_app(), make_app("other")
    app.set_current()
    assert Greet.app is app
    assert Greet().app is app
    assert Own.bind(other) is Own
    assert (Own.app, Own().app, Greet.app) == (other, other, app)


@pytest.mark.covers("app.task.Task.bind", "app.task.Task.on_bound", "app.task.Task.from_config")
def test_a_class_is_bound_as_an_instance_is_once_for_each_app(make_app):
    told = []

    class Own(Greet):
        from_config = (*Task.from_config, ("queue", "task_default_queue"))

        @classmethod
        def on_bound(cls, app):
            told.append(app.main)

    app = make_app("first", task_serializer="json", task_default_queue="q")
    for _ in range(2):
        Own.bind(app)
    assert (Own.serializer, Own.queue, told) == ("json", "q", ["first"])
    task = Own()
    other = make_app("second")
    other.register_task(task)
    other.finalize()
    assert (task.app, Own.app, told) == (other, app, ["first", "second"])


@pytest.mark.covers("app.task.Task")
def test_a_task_that_nobody_has_registered_is_sent_by_the_current_app(make_app, record):
    app = make_app()
    app.set_current()
    sent = record(app)
    Greet().delay("you")
    assert [message.headers["task"] for message in sent] == ["greet"]


@pytest.mark.covers("app.task.Task.backend")
def test_the_backend_of_a_task_is_that_of_its_app_unless_it_names_one(app):
    task = app.register_task(Greet())
    assert task.backend is app.backend
    other = type(app.backend)(app, "memory://")
    task.backend = other
    assert task.backend is other


def test_contexts_are_found_beside_tasks():
    from celeriac.app.task import Context

    assert Context(id="i").id == "i"


@pytest.mark.covers("app.task.Task.OperationalError", "app.task.Task.MaxRetriesExceededError")
def test_its_errors_can_be_named_by_the_task():
    assert Task.OperationalError is Greet().OperationalError is kombu.exceptions.OperationalError
    assert Greet.MaxRetriesExceededError is MaxRetriesExceededError


# -- the stack of requests ---------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.push_request", "app.task.Task.pop_request", "app.task.Task.request")
def test_a_test_may_let_a_task_count_as_being_run(app):
    task = app.register_task(Greet())
    assert task.request.id is None
    task.push_request(id="a", retries=2, called_directly=False)
    try:
        assert (task.request.id, task.request.retries, app.current_task) == ("a", 2, task)
        task.push_request({"id": "b"})
        assert task.request.id == "b"
        assert task.pop_request().id == "b"
    finally:
        assert task.pop_request().id == "a"
    assert (task.request.id, app.current_task, task.pop_request()) == (None, None, None)


@pytest.mark.covers("app.task.Task.request_stack")
def test_the_stack_of_a_task_is_its_own_however_tasks_are_nested(app):
    first, second = app.register_task(Greet()), app.register_task(Greet(), name="other")
    for task, task_id in ((first, "1"), (second, "2"), (first, "3")):
        task.push_request(id=task_id)
    assert [request.id for request in first.request_stack.stack] == ["1", "3"]
    assert (len(second.request_stack), second.request_stack.top.id) == (1, "2")
    # When one that is not the innermost ends
    assert second.request_stack.pop().id == "2"
    # Then the others are as they were
    assert (first.request.id, second.request.id, len(first.request_stack)) == ("3", None, 2)
    assert [first.pop_request().id, first.pop_request().id] == ["3", "1"]
    assert first.request_stack.top is None


# -- what a run may say ------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.add_trail", "app.task.Task.trail")
def test_a_result_can_be_added_to_the_trail_unless_the_task_leaves_none(app):
    @app.task(bind=True)
    def leaves(self):
        assert self.add_trail(app.AsyncResult("child")).id == "child"
        return [child.id for child in self.request.children]

    @app.task(bind=True, trail=False)
    def leaves_none(self):
        assert self.add_trail(app.AsyncResult("child")).id == "child"
        return [child.id for child in self.request.children]

    assert leaves.apply().get() == ["child"]
    assert leaves_none.apply().get() == []


@pytest.mark.covers("app.task.Task.send_event")
def test_an_event_goes_out_by_the_dispatcher_of_the_app_with_the_id_of_the_task(make_app):
    sent = []

    class Dispatcher:
        def send(self, type_, **fields):
            sent.append((type_, fields))
            return "sent"

    class Events:
        def __init__(self, app):
            pass

        @contextmanager
        def default_dispatcher(self, hostname=None):
            sent.append(hostname)
            yield Dispatcher()

    app = make_app(events=Events)

    @app.task(bind=True)
    def job(self):
        return self.send_event("task-progress", percent=40, retry_policy={"max_retries": 1})

    assert job.apply(task_id="i").get() == "sent"
    assert sent[1:] == [
        ("task-progress", {"uuid": "i", "percent": 40, "retry": True, "retry_policy": {"max_retries": 1}})
    ]


@pytest.mark.covers("app.task.Task.signature_from_request", "app.task.Task.subtask_from_request")
def test_the_running_task_can_be_made_a_signature_that_sends_it_again(app):
    task = app.register_task(Greet())
    task.push_request(id="i", args=("a",), kwargs={"b": 1}, delivery_info={"exchange": "", "routing_key": "slow"})
    try:
        again = task.subtask_from_request(countdown=3)
        elsewhere = task.signature_from_request(queue="q", args=("c",))
    finally:
        task.pop_request()
    assert (again.task, again.args, again.kwargs) == ("greet", ("a",), {"b": 1})
    assert (again.options["task_id"], again.options["queue"], again.options["countdown"]) == ("i", "slow", 3)
    assert (elsewhere.args, elsewhere.options["queue"]) == (("c",), "q")


# -- handlers ----------------------------------------------------------------------------------------------------------

HANDLERS = ("on_success", "after_return", "on_failure", "on_retry")


class Clumsy(Task):
    """Each of its handlers fails, in a way that a handler should not."""

    abstract = True
    error: BaseException = RuntimeError("of a handler")

    def _fail(self, *args):
        raise self.error

    on_success = after_return = on_failure = on_retry = _fail


@pytest.mark.covers(
    "app.task.Task.on_success", "app.task.Task.on_failure", "app.task.Task.on_retry", "app.task.Task.after_return"
)
@pytest.mark.parametrize("error", [RuntimeError("a"), LookupError("b")])
def test_a_handler_that_raises_loses_no_result_in_a_worker(app, start_worker, error):
    class Failing(Clumsy):
        abstract = True

    Failing.error = error

    @app.task(base=Failing)
    def good(x):
        return x

    @app.task(base=Failing)
    def bad(x):
        raise ValueError(x)

    @app.task(base=Failing, bind=True, default_retry_delay=0)
    def again(self, x):
        if self.request.retries == 0:
            raise self.retry()
        return x

    start_worker(app)
    assert good.delay(1).get(timeout=10) == 1
    with pytest.raises(ValueError, match="2"):
        bad.delay(2).get(timeout=10)
    assert again.delay(3).get(timeout=10) == 3


@pytest.mark.parametrize("predicate", ["Ignore", "Reject", "Retry"])
def test_a_handler_that_raises_what_a_task_may_raise_changes_nothing(app, start_worker, predicate):
    from celeriac import exceptions

    class Failing(Clumsy):
        abstract = True
        error = getattr(exceptions, predicate)()

    @app.task(base=Failing)
    def good(x):
        return x

    start_worker(app)
    assert good.delay(1).get(timeout=10) == 1


@pytest.mark.covers("app.task.Task.throws")
@pytest.mark.parametrize("throws", [(LookupError,), [OSError, KeyError], LookupError])
def test_an_error_that_the_task_throws_is_logged_in_a_line_and_any_other_with_its_traceback(
    app, start_worker, caplog, throws
):
    @app.task(name="expected", throws=throws)
    def expected():
        raise KeyError("a")

    @app.task(name="unexpected")
    def unexpected():
        raise KeyError("b")

    failures = []

    def note(sender, **_):
        failures.append(sender.name)

    signals.task_failure.connect(note, weak=False)
    try:
        caplog.set_level("INFO", logger="celeriac.app.trace")
        start_worker(app)
        results = [expected.delay(), unexpected.delay()]
        assert [type(result.get(timeout=10, propagate=False)) for result in results] == [KeyError, KeyError]
    finally:
        signals.task_failure.disconnect(note)
    told = {record.args[0]: record for record in caplog.records if record.name == "celeriac.app.trace"}
    assert (told["expected"].levelname, told["expected"].exc_info) == ("INFO", None)
    assert (told["unexpected"].levelname, told["unexpected"].exc_info[0]) == ("ERROR", KeyError)
    assert failures == ["expected", "unexpected"]
