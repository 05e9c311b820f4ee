"""Making tasks: names, options, base classes, shared ones, two apps."""

from __future__ import annotations

import functools
import pickle
import re
import sys
import warnings
from types import SimpleNamespace

import pytest

from celeriac import shared_task
from celeriac.app.base import Celery
from celeriac.app.task import Task
from celeriac.exceptions import DuplicateTaskNameWarning, NotRegistered
from celeriac.plugin import TaskOption, hookimpl

HERE = __name__

# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.name", "app.base.Celery.gen_task_name")
def test_a_task_is_named_by_its_module_and_function(app):
    @app.task
    def add(x, y):
        """Add."""
        return x + y

    assert add.name == f"{HERE}.add"
    assert (add.__name__, add.__doc__, add.__module__) == ("add", "Add.", HERE)
    assert add(2, 3) == 5
    assert app.tasks[add.name] is add
    assert repr(add) == f"<@task: {HERE}.add of proj>"


def test_a_task_may_be_given_a_name(app):
    @app.task(name="shop.sum")
    def add(x, y):
        return x + y

    assert add.name == "shop.sum"
    assert "shop.sum" in app.tasks


@pytest.mark.covers("app.base.Celery.main")
def test_a_task_of_the_main_module_is_named_by_the_app(make_app):
    assert make_app("proj").gen_task_name("add", "__main__") == "proj.add"


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (SimpleNamespace(__spec__=SimpleNamespace(name="shop.__main__")), "shop.add"),
        (SimpleNamespace(__spec__=None, __file__="/srv/jobs.py"), "jobs.add"),
        (SimpleNamespace(__spec__=None), "__main__.add"),
    ],
)
def test_without_a_name_of_the_app_it_is_named_as_if_the_main_module_were_imported(
    make_app, monkeypatch, main, expected
):
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert make_app(None).gen_task_name("add", "__main__") == expected


def test_an_app_may_name_tasks_in_its_own_way(memory_url):
    class Shop(Celery):
        def gen_task_name(self, name, module):
            return f"shop:{name}"

    app = Shop("proj", broker=memory_url, set_as_current=False)

    @app.task
    def add():
        pass

    assert add.name == "shop:add"
    app.close()


def test_a_second_function_of_a_name_is_warned_about_and_ignored(app):
    @app.task(name="t")
    def first():
        return 1

    with pytest.warns(DuplicateTaskNameWarning, match="two functions are registered as task 't'") as caught:

        @app.task(name="t")
        def second():
            return 2

    assert caught[0].filename == __file__
    assert second is first
    assert app.tasks["t"]() == 1


def test_two_functions_written_one_after_the_other_under_one_name_are_warned_about(app):
    @app.task
    def job():
        return 1

    with pytest.warns(DuplicateTaskNameWarning):

        @app.task
        def job():
            return 2


def test_the_same_function_defined_again_is_the_task_that_is_there(app):
    def define():
        @app.task
        def again():
            pass

        return again

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert define() is define()


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.task.Task.run")
def test_bind_gives_the_task_itself(app):
    @app.task(bind=True)
    def whoami(self, x):
        return self, x

    assert whoami(1) == (whoami, 1)


@pytest.mark.covers(
    "app.task.Task.max_retries",
    "app.task.Task.acks_late",
    "app.task.Task.time_limit",
    "app.task.Task.ignore_result",
    "app.task.Task.serializer",
    "app.task.Task.default_retry_delay",
    "app.task.Task.rate_limit",
)
@pytest.mark.covers("settings.task_default_rate_limit")
def test_options_become_attributes_and_the_rest_comes_from_the_configuration(make_app):
    app = make_app(task_serializer="json", task_acks_late=True, task_ignore_result=True, task_default_rate_limit="9/s")

    @app.task(max_retries=7, acks_late=False, queue="slow", time_limit=30)
    def job():
        pass

    app.finalize()
    assert (job.max_retries, job.acks_late, job.queue, job.time_limit) == (7, False, "slow", 30)
    assert (job.ignore_result, job.rate_limit, job.serializer) == (True, "9/s", "json")
    assert job.default_retry_delay == 180


def test_an_unknown_option_is_refused_with_the_nearest_name(app):
    hint = "did you mean 'max_retries'? (an attribute of your own goes on a base class: base=MyTask)"
    with pytest.raises(TypeError, match=re.escape(f"task 't' has no option 'max_retrys'; {hint}")):

        @app.task(max_retrys=3, name="t")
        def job():
            pass

    assert "t" not in app.tasks


def test_an_option_of_a_plugin_is_converted_by_the_plugin(app):
    class Limits:
        @hookimpl
        def celeriac_task_options(self):
            return [TaskOption("weight", int, 1, "How heavy.")]

    app.plugins.register(Limits())

    @app.task(weight="3")
    def job():
        pass

    assert job.weight == 3
    with pytest.raises(TypeError, match="did you mean 'weight'"):

        @app.task(wieght=3)
        def other():
            pass


def test_the_decorator_refuses_what_is_no_function(app):
    with pytest.raises(TypeError, match="takes a function, or keyword arguments"):
        app.task("name")
    with pytest.raises(TypeError, match=r"for the class Job use app\.register_task"):

        @app.task
        class Job:
            pass


def test_lazy_is_accepted_and_shared_keeps_a_task_to_its_app(make_app):
    one, two = make_app("one"), make_app("two")

    @one.task(name="mine", lazy=False, shared=False)
    def mine():
        pass

    assert "mine" in one.tasks
    assert "mine" not in two.tasks


# -- base classes ------------------------------------------------------------------------------------------------------


class Database(Task):
    connections = 0
    region = "eu"
    abstract = True

    def __init__(self):  # does not call ours, as in Celery's own documentation
        self.opened = []

    @property
    def db(self):
        self.opened.append(1)
        return self.region


def test_a_base_class_brings_attributes_of_its_own_which_options_may_set(app):
    @app.task(base=Database, bind=True, region="us")
    def query(self, x):
        return self.db, x, self.request.id

    assert query(1) == ("us", 1, None)
    assert query.opened == [1]
    assert isinstance(query, Database)
    assert query.app is app
    with pytest.raises(TypeError, match="did you mean 'region'"):

        @app.task(base=Database, regoin="us")
        def other():
            pass


@pytest.mark.covers("app.task.Task.abstract")
def test_a_base_may_be_named_and_an_app_may_have_one_for_all(make_app):
    app = make_app(task_cls=f"{HERE}:Database")
    sys.modules.setdefault(HERE, sys.modules[Database.__module__])

    @app.task(base=f"{HERE}:Database", name="a")
    def named():
        pass

    @app.task(name="b")
    def plain():
        pass

    assert isinstance(named, Task)
    assert named.region == plain.region == "eu"
    assert app.Task.app is app


@pytest.mark.covers("app.base.Celery.register_task", "app.task.Task.run", "app.task.Task")
def test_a_class_with_run_is_registered_as_an_instance_or_as_itself(app):
    class Greet(Task):
        def run(self, name):
            return f"hello {name}"

    class Named(Greet):
        name = "named"

    greet = app.register_task(Greet())
    assert greet.name == f"{HERE}.Greet"
    assert greet("you") == greet.apply(("you",)).get() == "hello you"
    named = app.register_task(Named, max_retries=9)
    assert app.tasks["named"] is named
    assert named.max_retries == 9


def test_a_task_without_run_says_so(app):
    class Empty(Task):
        name = "empty"

    with pytest.raises(NotImplementedError, match="task 'empty' must define the method run"):
        app.register_task(Empty())()


# -- shared tasks and several apps -------------------------------------------------------------------------------------


def test_a_shared_task_is_there_on_each_app_and_means_the_current_one(make_app):
    one = make_app("one", set_as_current=True)
    one.finalize()

    @shared_task(name="shared.where", bind=True)
    def where(self):
        return self.app.main

    two = make_app("two")
    assert "shared.where" in one.tasks
    assert "shared.where" in two.tasks
    assert where() == "one"
    two.set_current()
    assert where() == "two"
    assert where.name == "shared.where"
    assert repr(where) == "<@task: shared.where of two>"
    where.max_retries = 99
    assert two.tasks["shared.where"].max_retries == 99
    assert one.tasks["shared.where"].max_retries == 3
    assert pickle.loads(pickle.dumps(where)) is two.tasks["shared.where"]


def test_a_task_of_one_app_is_also_one_of_another_but_theirs_wins_without_a_word(make_app):
    one, two = make_app("one"), make_app("two")

    @one.task(name="only.one", bind=True)
    def only(self):
        return self.app

    @one.task(name="both")
    def of_one():
        return 1

    @two.task(name="both")
    def of_two():
        return 2

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert two.tasks["only.one"]() is two
        assert (one.tasks["both"](), two.tasks["both"]()) == (1, 2)


def test_a_task_defined_after_finalization_is_bound_at_once(make_app):
    app = make_app(task_acks_late=True)
    app.finalize()

    @app.task
    def late():
        pass

    assert late.acks_late is True


# -- finding -----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.tasks")
def test_a_task_that_is_not_there_is_answered_with_the_nearest_and_what_to_do(app):
    @app.task(name="shop.pay")
    def pay():
        pass

    with pytest.raises(NotRegistered) as caught:
        app.tasks["shop.pya"]
    assert str(caught.value).startswith("task 'shop.pya' is not registered in this process. Did you mean 'shop.pay'?")
    with pytest.raises(KeyError):
        app.tasks["qqq"]
    app.tasks.unregister("shop.pay")
    assert "shop.pay" not in app.tasks
    with pytest.raises(NotRegistered):
        app.tasks.unregister(pay)


def test_built_in_tasks_are_there(app):
    assert {"celery.backend_cleanup", "celery.accumulate", "celery.map", "celery.starmap"} <= set(app.tasks)
    assert {name for name, _ in app.tasks.regular()} == set(app.tasks)
    assert dict(app.tasks.periodic()) == {}


def test_a_pickled_task_is_its_name_and_not_its_code(make_app):
    app = make_app(set_as_current=True)

    @app.task(name="shop.pay")
    def pay():
        return "a text that is in the code"

    data = pickle.dumps(pay)
    assert b"shop.pay" in data
    assert len(data) < 200
    assert pickle.loads(data) is pay


def test_a_partial_can_be_a_task_if_it_is_named(app):
    task = app.task(functools.partial(pow, 2), name="power")
    assert task(5) == 32
