"""What an app is made of: classes given as types or dotted names, each loaded when its part is asked for."""

from __future__ import annotations

import pickle

import pytest

import celeriac
from celeriac import Celery
from celeriac.app.amqp import AMQP
from celeriac.app.registry import TaskRegistry
from celeriac.app.task import Task


class Part:
    """Stands for a part; knows its app."""

    def __init__(self, app):
        self.app = app


class OwnQueues(AMQP):
    """Queues of a user."""


class OwnTask(Task):
    """A task of a user."""


class OwnRegistry(TaskRegistry):
    """A registry of a user."""


@pytest.mark.covers(
    "app.base.Celery.amqp_cls",
    "app.base.Celery.control_cls",
    "app.base.Celery.events_cls",
    "app.base.Celery.log_cls",
    "app.base.Celery.control",
    "app.base.Celery.events",
    "app.base.Celery.log",
    "app.base.Celery.task_cls",
    "app.base.Celery.registry_cls",
)
@pytest.mark.parametrize("name", ["control", "events", "log"])
@pytest.mark.parametrize("by", ["type", "name"])
def test_a_part_may_be_given_to_the_constructor_as_a_class_or_by_its_dotted_name(make_app, name, by):
    given = Part if by == "type" else f"{__name__}:Part"
    app = make_app(**{name: given})
    part = getattr(app, name)
    assert type(part).__name__ == "Part"
    assert part.app is app
    assert getattr(app, name) is part


def test_the_classes_of_queues_tasks_and_registry_are_those_of_the_subclass(memory_url):
    class Shop(Celery):
        amqp_cls = OwnQueues
        task_cls = OwnTask
        registry_cls = OwnRegistry
        backend_cls = "cache+nowhere://"

    app = Shop("shop", broker=memory_url, set_as_current=False)
    assert isinstance(app.amqp, OwnQueues)
    assert issubclass(app.Task, OwnTask)
    assert isinstance(app.tasks, OwnRegistry)
    assert app.conf.result_backend == "cache+nowhere://"
    app.close()


def test_the_constructor_is_stronger_than_the_class(memory_url):
    class Shop(Celery):
        task_cls = Task

    app = Shop("shop", broker=memory_url, task_cls=OwnTask, set_as_current=False)
    assert issubclass(app.Task, OwnTask)
    assert Shop.task_cls is Task
    app.close()


@pytest.mark.covers("app.base.Celery.create_task_cls", "app.base.Celery.Task")
def test_each_app_has_a_base_class_of_tasks_of_its_own(make_app):
    first, second = make_app(), make_app()
    assert first.Task is first.Task
    assert first.Task is not second.Task
    assert first.Task.app is first
    assert first.create_task_cls().abstract


class Job:
    """Something that knows its app."""

    app = None

    def __init__(self, size):
        self.size = size

    def __reduce_args__(self):
        return (self.size,)


@pytest.mark.covers("app.base.Celery.subclass_with_self")
def test_a_subclass_knows_the_app_and_its_instances_come_back_as_those_of_the_app(make_app):
    app = make_app(set_as_current=True)
    app.Job = app.subclass_with_self(Job, attribute="app", colour="red")
    job = app.Job(3)
    assert (job.app, job.colour, app.Job.__name__, app.Job.__doc__) == (app, "red", "Job", Job.__doc__)
    again = pickle.loads(pickle.dumps(job))
    assert again.size == 3


@pytest.mark.covers("app.base.Celery.Worker", "app.base.Celery.WorkController")
def test_the_class_of_workers_makes_workers_of_the_app(make_app):
    app = make_app()
    worker = app.Worker(pool="solo")
    assert worker.app is app
    assert isinstance(worker, app.WorkController)


def test_the_clock_is_made_when_it_is_asked_for_and_only_goes_forward(make_app):
    app = make_app()
    assert "clock" not in vars(app)
    before = app.clock.value
    assert app.clock.forward() == before + 1
    assert app.clock.adjust(before + 100) == before + 101


@pytest.mark.covers("app.base.Celery.AsyncResult", "app.base.Celery.GroupResult", "app.base.Celery.ResultSet")
def test_results_that_an_app_makes_ask_its_store(make_app):
    app, other = make_app(), make_app(backend=None, set_as_current=True)
    result = app.AsyncResult("id")
    assert (result.id, result.app, result.backend) == ("id", app, app.backend)
    assert app.backend is not other.backend
    assert app.GroupResult("g", [result]).app is app
    assert app.ResultSet([result]).app is app


@pytest.mark.covers("app.base.Celery.AsyncResult", "app.base.Celery.GroupResult", "app.base.Celery.ResultSet")
@pytest.mark.parametrize("name", ["AsyncResult", "GroupResult", "ResultSet"])
def test_the_results_of_an_app_have_a_class_of_their_own_that_users_may_extend(make_app, name):
    app, other = make_app(), make_app()
    kind = getattr(app, name)
    made = kind("i") if name != "ResultSet" else kind([app.AsyncResult("i")])
    assert isinstance(made, getattr(celeriac, name))
    assert isinstance(made, kind)
    assert not isinstance(made, getattr(other, name))
    assert (kind.app, getattr(celeriac, name).app) == (app, None)

    class Own(kind):
        """A result of a user."""

    assert Own("i" if name != "ResultSet" else []).app is app


def test_what_a_task_sends_and_what_the_wire_tells_is_of_the_class_of_the_app(app):
    @app.task(shared=False)
    def add():
        pass

    assert type(add.delay()) is app.AsyncResult
    assert type(app.send_task(add.name)) is app.AsyncResult
    assert type(add.s().apply_async()) is app.AsyncResult
    found = app.results.from_tuple([["g", None], [[["i", None], None]]])
    assert (type(found), type(found.results[0])) == (app.GroupResult, app.AsyncResult)


def test_a_pickled_result_comes_back_as_one_of_the_current_app_and_takes_no_settings_along(make_app):
    app = make_app(broker="memory://user:secret@", set_as_current=True)
    result = app.GroupResult("g", [app.AsyncResult("i", parent=app.AsyncResult("p"))])
    text = pickle.dumps(result)
    assert b"secret" not in text
    back = pickle.loads(text)
    assert (back, type(back), type(back.results[0]), back.app) == (result, app.GroupResult, app.AsyncResult, app)
    assert back.results[0].parent.id == "p"
    assert pickle.loads(pickle.dumps(app.ResultSet([app.AsyncResult("i")]))).results == ["i"]


@pytest.mark.covers("app.base.Celery.backend", "app.base.Celery.backend_cls")
def test_the_result_store_may_be_named_by_url_by_name_or_by_its_class(make_app, memory_url):
    by_url = make_app(backend=memory_url).backend
    by_class = make_app(backend=type(by_url)).backend
    assert type(by_url) is type(by_class)


@pytest.mark.covers("app.base.Celery")
def test_the_constructor_takes_everything_by_keyword(memory_url):
    app = Celery(
        "main",
        loader="app",
        backend=memory_url,
        amqp=AMQP,
        events=Part,
        log=Part,
        control=Part,
        set_as_current=False,
        tasks={"given": "a task"},
        broker=memory_url,
        include=["json"],
        changes={"timezone": "Europe/Paris"},
        config_source={"task_default_queue": "q"},
        fixups=[],
        task_cls=OwnTask,
        autofinalize=False,
        namespace=None,
        strict_typing=False,
        config_source_silent=True,
        worker_prefetch_multiplier=3,
    )
    assert (app.main, app.conf.broker_url, app.conf.result_backend) == ("main", memory_url, memory_url)
    assert (app.conf.include, app.conf.timezone) == (("json",), "Europe/Paris")
    assert (app.conf.task_default_queue, app.conf.worker_prefetch_multiplier) == ("q", 3)
    assert (app.autofinalize, app.strict_typing, app.fixups) == (False, False, [])
    assert app._tasks["given"] == "a task"
    app.close()
