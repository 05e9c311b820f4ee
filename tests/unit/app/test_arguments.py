"""Arguments are checked before anything is sent, in words that name the task."""

from __future__ import annotations

import functools
import re
import sys

import pytest

from celeriac.app.task import Task
from celeriac.exceptions import SerializationError

#: Since Python 3.12 the message says so.
KEYWORD_ONLY = "keyword-only " if sys.version_info >= (3, 12) else ""


@pytest.fixture
def sent(app, record):
    return record(app)


def plain(x, y=1):
    pass


def keyword_only(x, *, flag):
    pass


def anything(*args, **kwargs):
    pass


def positional_only(x, /, y):
    pass


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "wrong"),
    [
        (plain, (), {}, "t(x, y=1): missing a required argument: 'x'"),
        (plain, (1, 2, 3), {}, "t(x, y=1): too many positional arguments"),
        (plain, (1,), {"x": 2}, "t(x, y=1): multiple values for argument 'x'"),
        (plain, (1,), {"z": 2}, "t(x, y=1): got an unexpected keyword argument 'z'"),
        (keyword_only, (1,), {}, f"t(x, *, flag): missing a required {KEYWORD_ONLY}argument: 'flag'"),
        (keyword_only, (1, 2), {}, "t(x, *, flag): too many positional arguments"),
        (positional_only, (), {"x": 1, "y": 2}, "t(x, /, y): "),
    ],
)
def test_a_call_that_the_function_would_refuse_is_refused_and_not_sent(app, sent, function, args, kwargs, wrong):
    task = app.task(function, name="t")
    with pytest.raises(TypeError, match="^" + re.escape(wrong)):
        task.delay(*args, **kwargs)
    with pytest.raises(TypeError, match="^" + re.escape(wrong)):
        task.apply_async(args, kwargs)
    assert sent == []


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, (1,), {}),
        (plain, (1, 2), {}),
        (plain, (), {"y": 1, "x": 2}),
        (keyword_only, (1,), {"flag": True}),
        (anything, (), {}),
        (anything, tuple(range(50)), {"a": 1}),
        (positional_only, (1, 2), {}),
        (functools.partial(plain, 1), (), {}),
    ],
)
def test_a_call_that_the_function_takes_is_sent(app, sent, function, args, kwargs):
    app.task(function, name="t").delay(*args, **kwargs)
    assert len(sent) == 1


def test_the_first_argument_of_a_bound_task_is_not_the_callers_business(app, sent):
    @app.task(bind=True, name="t")
    def bound(self, x):
        pass

    bound.delay(1)
    with pytest.raises(TypeError, match=r"^t\(x\): missing a required argument"):
        bound.delay()


def test_a_method_is_checked_without_its_self(app, sent):
    class Job(Task):
        name = "t"

        def run(self, x):
            pass

    job = app.register_task(Job())
    job.delay(1)
    with pytest.raises(TypeError, match="missing a required argument"):
        job.delay()


def test_a_task_that_retries_by_itself_is_checked_by_its_own_parameters(app, sent):
    task = app.task(plain, name="t", autoretry_for=(OSError,))
    task.delay(1)
    with pytest.raises(TypeError, match="too many positional"):
        task.delay(1, 2, 3)


@pytest.mark.covers("app.task.Task.typing")
@pytest.mark.parametrize("how", ["task", "app"])
def test_checking_can_be_switched_off(make_app, record, how):
    app = make_app(strict_typing=how != "app")
    sent = record(app)
    options = {"typing": False} if how == "task" else {}
    app.task(plain, name="t", **options).delay(1, 2, 3, 4)
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("args", "kwargs", "wrong"),
    [
        ("ab", None, "the args of task 't' must be a list or a tuple, not 'ab'"),
        ({1}, None, "the args of task 't' must be a list or a tuple, not {1}"),
        (5, None, "the args of task 't' must be a list or a tuple, not 5"),
        ([1], [("y", 2)], "the kwargs of task 't' must be a mapping, not [('y', 2)]"),
    ],
)
def test_arguments_that_are_no_list_and_no_map_are_refused_however_they_are_sent(app, sent, args, kwargs, wrong):
    task = app.task(anything, name="t")
    for send in (task.apply_async, functools.partial(app.send_task, "t")):
        with pytest.raises(TypeError, match=re.escape(wrong)):
            send(args, kwargs)
    app.conf.task_always_eager = True
    with pytest.raises(TypeError, match=re.escape(wrong)):
        task.apply_async(args, kwargs)
    assert sent == []


def test_what_cannot_be_encoded_is_an_error_that_names_the_task_and_the_place(app, sent):
    task = app.task(anything, name="t")
    with pytest.raises(SerializationError) as caught:
        task.delay(1, {"deep": [object()]})
    assert "task 't' was not sent" in str(caught.value)
    assert "deep" in str(caught.value)
    assert sent == []
