"""``retry`` and ``autoretry_for``: how often, when, with what, and what is raised in the end."""

from __future__ import annotations

import json

import pytest
from kombu.exceptions import OperationalError

from celeriac.app.context import Context
from celeriac.app.current import pop_running, push_running
from celeriac.app.retrying import backoff
from celeriac.app.task import Task
from celeriac.exceptions import Ignore, MaxRetriesExceededError, Reject, Retry


@pytest.fixture
def running():
    """Return ``running(task, **request)``: from now on `task` counts as being run by a worker."""
    tokens = []

    def run(task, **fields):
        fields = {"id": "an-id", "args": [1], "kwargs": {}, "called_directly": False, **fields}
        request = Context(task=task.name, **fields)
        tokens.append(push_running(task, request))
        return request

    yield run
    for token in reversed(tokens):
        pop_running(token)


@pytest.fixture
def job(app):
    @app.task(name="t", bind=True, max_retries=2, default_retry_delay=7)
    def job(self, x):
        pass

    return job


# -- the message of a retry --------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.retry", "app.task.Task.signature_from_request", "exceptions.Retry")
def test_a_retry_sends_the_same_task_once_more_and_ends_this_run(app, job, running, record):
    sent = record(app)
    running(
        job,
        retries=1,
        root_id="root",
        parent_id="parent",
        group="g",
        group_index=3,
        reply_to="there",
        shadow="alias",
        expires="2031-01-01T00:00:00+00:00",
        timelimit=[9, 8],
        ignore_result=True,
        headers={"tenant": "acme", "x-death": [1], "x-first-death-queue": "q"},
        stamped_headers=["s"],
        stamps={"s": 1},
        delivery_info={"exchange": "", "routing_key": "slow", "priority": 4},
        callbacks=[{"task": "cb", "args": []}],
        errbacks=[{"task": "eb", "args": []}],
        chain=[{"task": "next", "args": []}],
        chord={"task": "body", "args": []},
    )
    with pytest.raises(Retry) as caught:
        job.retry()
    assert (caught.value.when, str(caught.value)) == (7, "Retry in 7s")
    [message] = sent
    headers = message.headers
    assert (headers["id"], headers["retries"], headers["root_id"], headers["parent_id"]) == (
        "an-id",
        2,
        "root",
        "parent",
    )
    assert (headers["group"], headers["group_index"], headers["shadow"]) == ("g", 3, "alias")
    assert (headers["timelimit"], headers["ignore_result"], headers["tenant"]) == ([9, 8], True, "acme")
    assert headers["expires"] == "2031-01-01T00:00:00+00:00"
    assert (headers["stamped_headers"], headers["stamps"]) == (["s"], {"s": 1})
    assert not [name for name in headers if name.startswith("x-")]
    assert headers["eta"] is not None
    assert (message.routing_key, message.exchange) == ("slow", "")
    assert (message.properties["priority"], message.properties["reply_to"]) == (4, "there")
    args, _, embed = json.loads(message.body)
    assert args == [1]
    assert [embed[key][0]["task"] for key in ("callbacks", "errbacks", "chain")] == ["cb", "eb", "next"]
    assert embed["chord"]["task"] == "body"


def test_a_retry_without_a_parent_does_not_become_its_own_child(app, job, running, record):
    sent = record(app)
    request = running(job)
    with pytest.raises(Retry):
        job.retry()
    assert (sent[0].headers["parent_id"], sent[0].headers["root_id"]) == (None, "an-id")
    assert request.children == []


def test_a_retry_of_what_came_by_an_exchange_goes_there_again(app, job, running, record):
    sent = record(app)
    running(job, delivery_info={"exchange": "", "routing_key": "q"})
    with pytest.raises(Retry):
        job.retry()
    with pytest.raises(Retry):
        job.retry(queue="other")
    assert [message.routing_key for message in sent] == ["q", "other"]
    signature = job.signature_from_request(
        Context(args=[1], kwargs={}, delivery_info={"exchange": "x", "routing_key": "k"}), priority=3
    )
    assert signature.options.items() >= {"exchange": "x", "routing_key": "k", "priority": 3}.items()


@pytest.mark.covers("app.task.Task.retry")
def test_arguments_moment_and_options_may_be_others(app, job, running, record):
    sent = record(app)
    running(job)
    with pytest.raises(Retry):
        job.retry(args=[5], countdown=0, priority=8)
    [message] = sent
    assert json.loads(message.body)[0] == [5]
    assert (message.headers["eta"], message.properties["priority"]) == (None, 8)


def test_a_retry_may_be_returned_instead_of_raised(app, job, running, record):
    sent = record(app)
    running(job)
    answer = job.retry(throw=False)
    assert isinstance(answer, Retry)
    assert len(sent) == 1


def while_handling(error, function, **kwargs):
    try:
        raise error
    except type(error):
        function(**kwargs)


# -- the end of it -----------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.retry", "app.task.Task.max_retries")
def test_after_the_last_retry_comes_max_retries_exceeded_also_while_an_error_is_handled(app, job, running, record):
    sent = record(app)
    running(job, retries=2)
    with pytest.raises(MaxRetriesExceededError) as caught:
        while_handling(LookupError("handled"), job.retry)
    assert (caught.value.task_args, caught.value.task_kwargs) == ([1], {})
    assert isinstance(caught.value, job.MaxRetriesExceededError)
    assert sent == []


def test_after_the_last_retry_comes_the_error_that_was_given(job, running):
    running(job, retries=2)
    given, handled = OSError("given"), LookupError("handled")
    with pytest.raises(OSError, match="given") as caught:
        while_handling(handled, job.retry, exc=given)
    assert caught.value.__cause__ is handled
    with pytest.raises(OSError, match="given"):
        job.retry(exc=given)


@pytest.mark.covers("app.task.Task.max_retries")
def test_the_limit_may_be_set_for_one_call_and_none_is_no_limit(app, job, running, record):
    sent = record(app)
    running(job, retries=2)
    with pytest.raises(Retry):
        job.retry(max_retries=3)
    job.max_retries = None
    running(job, retries=1000)
    with pytest.raises(Retry):
        job.retry()
    assert len(sent) == 2


def test_a_task_that_is_called_as_a_function_is_not_retried(app, job, record):
    sent = record(app)
    with pytest.raises(LookupError):
        job.retry(exc=LookupError())
    with pytest.raises(LookupError):
        while_handling(LookupError(), job.retry)
    with pytest.raises(Retry, match="Task can be retried"):
        job.retry()
    assert sent == []


@pytest.mark.parametrize("late", [True, False])
def test_a_retry_that_cannot_be_sent_rejects_the_message_which_goes_back_if_that_is_still_possible(
    flaky, broker, running, late
):
    app = flaky(task_publish_retry=False)

    @app.task(name="t", bind=True, acks_late=late)
    def job(self, x):
        pass

    running(job)
    broker.failures.append(ConnectionResetError("gone"))
    with pytest.raises(Reject) as caught:
        job.retry()
    assert caught.value.requeue is late
    assert isinstance(caught.value.reason, OperationalError)


def test_a_retry_that_cannot_be_encoded_rejects_the_message(job, running):
    running(job)
    with pytest.raises(Reject) as caught:
        job.retry(args=[object()])
    assert caught.value.requeue is False


# -- by itself ---------------------------------------------------------------------------------------------------------


def failing(app, errors, name="t", **options):
    """A task that raises `errors` one after the other, then returns how often it was tried."""
    left = list(errors)

    @app.task(name=name, bind=True, default_retry_delay=0, **options)
    def job(self):
        if left:
            raise left.pop(0)
        return self.request.retries

    return job


@pytest.mark.parametrize("wanted", [(LookupError,), [OSError, LookupError], LookupError, Exception])
def test_a_task_is_retried_for_the_errors_it_names(app, wanted):
    job = failing(app, [KeyError("a"), KeyError("b")], autoretry_for=wanted)
    assert job.apply().get() == 2


def test_it_is_not_retried_for_others_nor_for_those_that_are_excluded(app):
    assert failing(app, [OSError()], autoretry_for=(LookupError,)).apply().state == "FAILURE"
    other = failing(app, [KeyError("a")], "other", autoretry_for=(Exception,), dont_autoretry_for=(KeyError,))
    assert other.apply().state == "FAILURE"


def test_what_a_task_says_of_its_own_fate_is_not_retried(app):
    job = failing(app, [Ignore()], autoretry_for=(Exception,))
    assert job.apply().state == "IGNORED"


def test_the_last_error_stands(app):
    job = failing(app, [KeyError(number) for number in range(9)], autoretry_for=(KeyError,), max_retries=2)
    with pytest.raises(KeyError) as caught:
        job.apply().get()
    assert caught.value.args == (2,)


def test_options_of_the_retry_may_be_given(app):
    errors = [KeyError(number) for number in range(9)]
    job = failing(app, errors, autoretry_for=(KeyError,), retry_kwargs={"max_retries": 5, "countdown": 3})
    with pytest.raises(KeyError) as caught:
        job.apply().get()
    assert caught.value.args == (5,)


def test_a_limit_that_the_task_itself_has_set_holds_although_autoretry_catches_what_it_raises(app):
    tries = []

    @app.task(bind=True, autoretry_for=(Exception,), retry_kwargs={"max_retries": 7, "countdown": 0})
    def job(self):
        tries.append(self.request.retries)
        try:
            raise KeyError("a")
        except KeyError as error:
            raise self.retry(exc=error, max_retries=1, countdown=0) from None

    assert isinstance(job.apply().result, KeyError)
    assert tries == [0, 1]


def test_an_annotation_may_say_it_for_all_tasks_and_otherwise_than_the_task(app):
    app.conf.task_annotations = {"*": {"autoretry_for": (LookupError,)}, "own": {"retry_kwargs": {"max_retries": 1}}}
    job = failing(app, [KeyError("a"), KeyError("b")])
    own = failing(app, [OSError(), KeyError("a"), KeyError("b")], "own", autoretry_for=(OSError,))
    assert job.apply().get() == 2
    assert own.apply().state == "FAILURE"
    assert own.apply().state == "FAILURE"
    assert own.apply().get() == 0


def test_what_an_annotation_puts_around_a_task_sees_each_try(app):
    tries = []

    def counted(run):
        def around(*args):
            tries.append(1)
            return run(*args)

        return around

    app.conf.task_annotations = {"t": {"@run": counted, "autoretry_for": (LookupError,)}}
    job = failing(app, [KeyError("a")], "t")
    assert job.apply().get() == 1
    assert tries == [1, 1]


def test_a_base_class_may_say_it_and_the_original_function_stays(app):
    class Patient(Task):
        autoretry_for = (LookupError,)
        abstract = True

    job = failing(app, [LookupError()], base=Patient)
    assert job.apply().get() == 1

    class Job(Patient):
        name = "class"
        default_retry_delay = 0
        left = [LookupError(), LookupError()]  # noqa: RUF012  # this test's own

        def run(self):
            if self.left:
                raise self.left.pop()
            return self.request.retries

    task = app.register_task(Job())
    assert app.register_task(task) is task
    assert task.apply().get() == 2
    assert task._orig_run() == 0


def test_a_coroutine_is_retried_as_well(app):
    left = [LookupError(), LookupError()]

    @app.task(bind=True, autoretry_for=(LookupError,), default_retry_delay=0)
    async def job(self):
        if left:
            raise left.pop()
        return self.request.retries

    assert job.apply().get() == 2


@pytest.mark.parametrize(
    ("factor", "retries", "maximum", "expected"),
    [(1, 0, 600, 1), (1, 3, 600, 8), (3, 2, 600, 12), (1, 20, 600, 600), (2, 10_000, 50, 50), (0.5, 1, 600, 1)],
)
def test_the_pause_doubles_up_to_its_limit_and_jitter_takes_any_part_of_it(factor, retries, maximum, expected):
    assert backoff(factor, retries, maximum, jitter=False) == expected
    found = {backoff(factor, retries, maximum, jitter=True) for _ in range(50)}
    assert all(0 <= pause <= expected for pause in found)
    assert len(found) > 10


@pytest.mark.parametrize(
    ("options", "pauses"),
    [
        ({"retry_backoff": True, "retry_jitter": False}, [1, 2, 4]),
        ({"retry_backoff": 5, "retry_jitter": False}, [5, 10, 20]),
        ({"retry_backoff": 5, "retry_backoff_max": 12, "retry_jitter": False}, [5, 10, 12]),
        ({"retry_kwargs": {"countdown": 3}}, [3, 3, 3]),
        ({}, [0, 0, 0]),
    ],
)
def test_the_pause_of_each_retry(app, running, options, pauses):
    job = failing(app, [LookupError()] * 3, autoretry_for=(LookupError,), **options)
    found = []
    for retries in range(3):
        running(job, retries=retries, args=[])
        with pytest.raises(Retry) as caught:
            job.run()
        found.append(caught.value.when)
    assert found == pauses


def test_with_jitter_the_pause_is_any_up_to_the_backoff(app, running):
    job = failing(app, [LookupError()], autoretry_for=(LookupError,), retry_backoff=1000)
    running(job, args=[])
    with pytest.raises(Retry) as caught:
        job.run()
    assert 0 <= caught.value.when <= 600


def test_a_task_called_as_a_function_inside_another_is_not_retried_as_if_it_were_that_one(app, record, start_worker):
    inner = failing(app, [LookupError("inner")], autoretry_for=(LookupError,))
    sent = record(app)

    @app.task(name="outer")
    def outer():
        return inner()

    start_worker(app)
    with pytest.raises(LookupError, match="inner"):
        outer.delay().get(timeout=10)
    assert [message.headers["task"] for message in sent] == ["outer"]


# -- all the way -------------------------------------------------------------------------------------------------------


def test_a_worker_tries_again_and_the_caller_sees_the_last_of_it(app, start_worker, record):
    sent = record(app)
    job = failing(app, [KeyError("a"), KeyError("b")], autoretry_for=(KeyError,))
    start_worker(app)
    result = job.delay()
    assert result.get(timeout=10) == 2
    assert [message.headers["retries"] for message in sent] == [0, 1, 2]
    assert {message.headers["id"] for message in sent} == {result.id}
    assert {message.headers["parent_id"] for message in sent} == {None}


def test_while_it_waits_the_state_says_why(app, start_worker, wait_until):
    @app.task(name="t", bind=True)
    def job(self):
        raise self.retry(exc=LookupError("not yet"), countdown=3600)

    start_worker(app)
    result = job.delay()
    wait_until(lambda: result.state == "RETRY")
    assert isinstance(result.info, LookupError)
    assert "not yet" in result.traceback
    assert not result.ready()
