"""``task_annotations``: what the configuration sets on tasks."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from celeriac.app.task import Task
from celeriac.exceptions import ImproperlyConfigured


def define(app, name="proj.add", **options):
    @app.task(name=name, **options)
    def add(x, y):
        return x + y

    return app.tasks[name]


@pytest.mark.covers("app.task.Task.annotate", "app.task.Task.rate_limit", "settings.task_annotations")
def test_a_map_sets_attributes_by_name_and_for_all(make_app):
    annotations = {"proj.add": {"rate_limit": "10/s", "queue": "sums"}, "*": {"rate_limit": "1/s", "time_limit": 9}}
    app = make_app(task_annotations=annotations)
    add, other = define(app), define(app, "proj.other")
    assert (add.rate_limit, add.time_limit, add.exec_options()["queue"]) == ("10/s", 9, "sums")
    assert (other.rate_limit, other.time_limit, other.queue) == ("1/s", 9, None)
    assert app.tasks["celery.map"].rate_limit == "1/s"


def test_an_annotation_overrules_the_task_and_the_configuration(make_app):
    app = make_app(
        task_annotations={"proj.add": {"rate_limit": "2/m", "serializer": "json"}}, task_default_rate_limit="3/h"
    )
    assert define(app, rate_limit="1/s").rate_limit == "2/m"
    assert define(app, "proj.other").rate_limit == "3/h"


def test_objects_with_annotate_are_asked_in_order(make_app):
    class ByPrefix:
        def annotate(self, task):
            return {"rate_limit": "5/s", "priority": 3} if task.name.startswith("proj.") else None

    app = make_app(task_annotations=[ByPrefix(), {"proj.add": {"rate_limit": "6/s"}}, ByPrefix])
    assert (define(app).rate_limit, define(app).priority) == ("5/s", 3)
    assert define(app, "else.where").rate_limit is None


def test_what_annotates_may_be_named(make_app, monkeypatch):
    module = ModuleType("annotating")
    module.LIMITS = {"*": {"rate_limit": "7/s"}}
    monkeypatch.setitem(sys.modules, "annotating", module)
    assert define(make_app(task_annotations="annotating.LIMITS")).rate_limit == "7/s"
    assert define(make_app(task_annotations=["annotating:LIMITS"])).rate_limit == "7/s"


def test_a_function_becomes_a_method_also_of_a_task_that_is_a_class(make_app):
    seen = []

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        seen.append((self.name, type(exc), task_id))

    def on_success(self, retval, task_id, args, kwargs):
        seen.append((self.name, retval, task_id))

    class Divide(Task):
        name = "proj.divide"

        def run(self, x):
            return 1 / x

    app = make_app(task_annotations={"*": {"on_failure": on_failure, "on_success": on_success}})
    add, divide = define(app), app.register_task(Divide())
    app.finalize()
    add.apply((1, 2), task_id="a")
    add.apply((1, "2"), task_id="b")
    divide.apply((0,), task_id="c")
    assert seen == [("proj.add", 3, "a"), ("proj.add", TypeError, "b"), ("proj.divide", ZeroDivisionError, "c")]
    assert Divide.on_failure is Task.on_failure


def test_the_task_runs_by_a_call_of_the_annotations(make_app):
    def call(self, *args):
        return ["called", self.run(*args)]

    app = make_app(task_annotations={"proj.add": {"__call__": call}})
    add = define(app)
    assert add(1, 2) == add.apply((1, 2)).get() == ["called", 3]


@pytest.mark.covers("app.task.Task.add_around")
def test_a_method_may_be_wrapped_and_is_wrapped_once_however_often_that_is_said(make_app):
    def twice(function):
        def wrapped(*args):
            return ["wrapped", function(*args)]

        return wrapped

    class Shout(Task):
        name = "shout"

        def run(self, word):
            return word.upper() + self.name[:1]

    app = make_app(task_annotations=[{"*": {"@run": twice}}, {"*": {"@run": twice}}])
    add, shout = define(app), app.register_task(Shout())
    app.finalize()
    assert add.apply((1, 2)).get() == ["wrapped", 3]
    assert shout.apply(("a",)).get() == ["wrapped", "As"]
    Shout.add_around("run", twice)
    assert Shout().run("b") == ["wrapped", "Bs"]


@pytest.mark.parametrize(
    ("annotations", "wrong"),
    [
        ([3], "has 3, which is no map and no object with annotate"),
        ("no.such.module", "names 'no.such.module'"),
        ({"proj.add": 5}, "'proj.add' has no map of attributes"),
    ],
)
def test_what_is_no_annotation_is_refused_in_words_that_name_the_setting(make_app, annotations, wrong):
    app = make_app(task_annotations=annotations)
    with pytest.raises(ImproperlyConfigured, match="setting task_annotations") as caught:
        app.finalize()
    assert wrong in str(caught.value)
