"""When a decorated function becomes a task, and of which app."""

from __future__ import annotations

import inspect
import pickle
from unittest.mock import patch

import pytest

from celeriac import Celery, Task, shared_task
from celeriac.exceptions import Retry

pytestmark = pytest.mark.covers("app.base.Celery.task")


class OwnTask(Task):
    """A base of a user."""


def test_a_task_works_before_the_app_is_finalized_and_takes_from_its_configuration_later(app):
    @app.task(shared=False)
    def add(x, y):
        return x + y

    assert not app.finalized
    assert add(1, 2) == 3
    assert add.acks_late is None
    app.conf.task_acks_late = True
    assert app.tasks[add.name] is add
    assert add.acks_late is True


def test_a_task_that_is_not_lazy_takes_from_the_configuration_at_once(make_app):
    app = make_app(task_acks_late=True)

    @app.task(lazy=False, shared=False)
    def add():
        pass

    assert add.acks_late is True
    assert not app.finalized


@pytest.mark.covers("app.base.Celery.finalize")
def test_an_app_that_does_not_finalize_itself_refuses_to_be_used_before(make_app):
    app = make_app(autofinalize=False)

    @app.task(name="t", shared=False)
    def t():
        return 1

    with pytest.raises(RuntimeError, match=r"Contract breach: .* call app.finalize"):
        _ = app.tasks
    with pytest.raises(RuntimeError, match="Contract breach"):
        t.delay()
    with pytest.raises(RuntimeError, match="Contract breach"):
        app.send_task("t")
    with pytest.raises(RuntimeError, match="Contract breach"):
        app.task(lambda: None, lazy=False)
    app.finalize()
    assert app.tasks["t"]() == 1


def test_decorators_may_be_stacked_on_a_task(app):
    other = Celery("other", broker=app.conf.broker_url, set_as_current=False)

    @other.task(name="of.other", shared=False)
    @app.task(name="of.app", shared=False)
    def both(x):
        return x * 2

    assert app.tasks["of.app"](2) == other.tasks["of.other"](2) == both(2) == 4
    assert both.app is other
    other.close()


def test_a_decorator_of_the_users_own_may_be_below(app):
    from functools import wraps

    def doubled(function):
        @wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs) * 2

        return call

    @app.task(shared=False)
    @doubled
    def add(x, y):
        """Adds."""
        return x + y

    assert add(1, 2) == 6
    assert add.name.endswith(".add")
    assert add.__doc__ == "Adds."
    assert add.__wrapped__


def test_a_filter_makes_what_the_decorator_gives(app):
    @app.task(filter=lambda task: ("filtered", task), shared=False)
    def add():
        pass

    assert add[0] == "filtered"
    assert app.tasks[add[1].name] is add[1]


def test_a_task_is_shared_with_apps_that_are_finalized_later_unless_told_otherwise(make_app):
    app, other = make_app("one"), make_app("two")

    @app.task(name="s.shared")
    def shared():
        return "shared"

    @app.task(name="s.own", shared=False)
    def own():
        return "own"

    assert other.tasks["s.shared"]() == "shared"
    assert "s.own" not in other.tasks


def test_a_shared_task_is_that_of_the_app_that_is_current_when_it_is_used(make_app):
    @shared_task(name="s.library")
    def library():
        return library.app.main

    one, two = make_app("one", set_as_current=True), make_app("two")
    assert library() == "one"
    two.set_current()
    assert library() == "two"
    assert library.app is two
    assert one.tasks["s.library"] is not two.tasks["s.library"]


def test_a_shared_task_is_a_task_to_whoever_looks_at_it(make_app):
    @shared_task(name="s.looked.at")
    def library(x):
        """Of a library."""

    task = make_app(set_as_current=True).tasks["s.looked.at"]
    assert isinstance(library, Task)
    assert library == task
    assert {library: 1}[task] == 1
    assert pickle.loads(pickle.dumps(library)) is task
    assert "apply_async" in dir(library)
    assert (library.__module__, library.__name__, library.__doc__) == (__name__, "library", "Of a library.")
    assert str(inspect.signature(library)) == "(x)"


def test_a_test_may_put_something_in_the_place_of_what_a_shared_task_has(make_app):
    @shared_task(bind=True, name="s.patched")
    def pay(self):
        raise self.retry(countdown=60)

    task = make_app(set_as_current=True).tasks["s.patched"]
    with patch.object(pay, "retry", side_effect=Retry()) as retry, pytest.raises(Retry):
        pay()
    retry.assert_called_once_with(countdown=60)
    with patch.object(pay, "apply_async", autospec=True) as apply_async:
        pay.delay()
    assert apply_async.called
    assert not {"retry", "apply_async"} & {*vars(task)}
    pay.note = "mine"
    del pay.note
    assert not hasattr(task, "note")


@pytest.mark.covers("app.base.Celery.type_checker")
def test_the_arguments_of_a_function_can_be_checked_without_calling_it(app):
    def add(x, y=1, *, z=2):
        raise AssertionError

    app.type_checker(add)(1, z=3)
    with pytest.raises(TypeError, match="missing a required argument"):
        app.type_checker(add)()
    app.type_checker(add, bound=True)(y=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'x'"):
        app.type_checker(add, bound=True)(x=1)


@pytest.mark.covers("app.base.Celery.type_checker")
def test_what_an_app_makes_to_check_arguments_is_what_its_tasks_ask():
    class Lenient(Celery):
        def type_checker(self, fun, bound=False):
            return lambda *args, **kwargs: seen.append((fun, bound, args, kwargs))

    seen = []
    own = Lenient("own", broker="memory://", set_as_current=False)

    @own.task(shared=False)
    def add(x, y):
        return x + y

    own.finalize()
    add.check_arguments([1], {"z": 2})
    assert seen == [(add.run, False, (1,), {"z": 2})]
    own.close()


@pytest.mark.covers("app.base.Celery.current_worker_task", "app.base.Celery.current_task")
def test_the_task_of_the_worker_is_the_outermost_of_those_that_run(app):
    seen = []

    @app.task(name="inner", shared=False)
    def inner():
        seen.append((app.current_task.name, app.current_worker_task.name))

    @app.task(name="outer", shared=False)
    def outer():
        inner.apply()
        seen.append((app.current_task.name, app.current_worker_task.name))

    assert (app.current_task, app.current_worker_task) == (None, None)
    outer.apply()
    assert seen == [("inner", "outer"), ("outer", "outer")]


@pytest.mark.covers("app.base.Celery.Task")
def test_a_base_class_that_is_set_later_is_that_of_tasks_decorated_before(make_app):
    app = make_app()

    @app.task(name="early", bind=True, shared=False)
    def early(self):
        return self.context

    class InContext(app.Task):
        """As the documents of web frameworks have it."""

        abstract = True
        context = "of the framework"

        def __call__(self, *args, **kwargs):
            return self.run(*args, **kwargs).upper()

    @app.task(name="own", base=OwnTask, shared=False)
    def own():
        pass

    app.Task = InContext
    assert app.tasks["early"] is early
    assert early() == "OF THE FRAMEWORK"
    assert early.apply().get() == "OF THE FRAMEWORK"
    assert isinstance(early, InContext)
    assert not isinstance(own, InContext)


@pytest.mark.covers("app.base.Celery.annotations", "settings.task_annotations")
def test_annotations_set_attributes_of_tasks(make_app):
    app = make_app(task_annotations={"t": {"rate_limit": "10/s"}, "*": {"priority": 3}})

    @app.task(name="t", shared=False)
    def t():
        pass

    assert (app.tasks["t"].rate_limit, app.tasks["t"].priority) == ("10/s", 3)
    assert len(app.annotations) == 1


@pytest.mark.covers("app.base.Celery.signature")
def test_a_signature_of_the_app_calls_a_task_of_the_app(app):
    @app.task(name="t", shared=False)
    def t(x):
        return x * 2

    signature = app.signature("t", args=(2,))
    assert signature.app is app
    assert signature.apply().get() == 4
