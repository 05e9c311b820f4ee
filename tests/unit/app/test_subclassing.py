"""What a subclass of `Celery` may say of its life, its configuration and how it is pickled."""

from __future__ import annotations

import pickle
import platform
from datetime import timedelta

import pytest

from celeriac import Celery
from celeriac.app.base import AppPickler
from celeriac.app.current import set_current_app, set_default_app
from celeriac.contracts import Fixup, Loader
from celeriac.exceptions import ImproperlyConfigured

HERE = __name__


class Shop(Celery):
    """An app of a user."""

    builtin_fixups = frozenset()

    def on_init(self):
        self.told = ["init"]

    def on_configure(self):
        self.told.append("configure")

    def on_after_configure(self, source):
        self.told.append(("after configure", source.task_default_queue))

    def on_after_finalize(self, sender, **_):
        self.told.append(("after finalize", sender is self))


@pytest.fixture
def shop(memory_url):
    with Shop("shop", broker=memory_url, backend=memory_url, set_as_current=False) as app:
        yield app


@pytest.mark.covers(
    "app.base.Celery.on_init",
    "app.base.Celery.on_configure",
    "app.base.Celery.on_after_configure",
    "app.base.Celery.on_after_finalize",
)
def test_a_method_named_as_a_signal_is_its_first_receiver(shop):
    others = []
    shop.on_configure.connect(lambda **_: others.append("configure"), weak=False)
    shop.finalize()
    assert shop.told == ["init", "configure", ("after configure", "celery"), ("after finalize", True)]
    assert others == ["configure"]


@pytest.mark.covers("app.base.Celery.prepare_config")
def test_a_subclass_may_change_the_configuration_before_it_is_used(memory_url):
    class Prepared(Celery):
        def prepare_config(self, c):
            return {**c, "task_default_queue": c["task_default_queue"].upper()}

    with Prepared("p", broker=memory_url, set_as_current=False) as app:
        app.config_from_object({"task_default_queue": "q"})
        assert app.conf.task_default_queue == "Q"


def test_a_configuration_that_is_missing_is_no_error_where_that_was_asked(memory_url):
    with Celery(
        broker=memory_url, config_source="no_such_conf", config_source_silent=True, set_as_current=False
    ) as app:
        assert app.conf.task_default_queue == "celery"
    app = Celery(broker=memory_url, config_source="no_such_conf", set_as_current=False)
    with app, pytest.raises(ImproperlyConfigured, match="no_such_conf"):
        _ = app.conf.task_default_queue


@pytest.mark.covers("app.base.Celery.SYSTEM", "app.base.Celery.IS_macOS", "app.base.Celery.IS_WINDOWS")
def test_an_app_knows_the_system_that_it_runs_on(app):
    assert platform.system() == app.SYSTEM
    assert (app.IS_WINDOWS, app.IS_macOS) == (app.SYSTEM == "Windows", app.SYSTEM == "Darwin")


# -- fixups and loaders ------------------------------------------------------------------------------------------------


class Own(Fixup):
    """A fixup of a user."""

    def install(self):
        self.app.installed = True

    def autodiscover_modules(self):
        return ["some.package"]


def nothing_here(app):
    """A fixup whose framework is not in use."""


def test_fixups_may_be_given_as_classes_or_by_name_and_are_installed_at_once(make_app):
    app = make_app(fixups=[Own, f"{HERE}:nothing_here"])
    assert app.installed
    assert [type(fixup) for fixup in app.fixups] == [Own]


@pytest.mark.covers("app.base.Celery.builtin_fixups")
def test_fixups_of_the_class_are_used_where_none_are_given(memory_url):
    class Fixed(Celery):
        builtin_fixups = frozenset({f"{HERE}:Own"})

    with Fixed(broker=memory_url, set_as_current=False) as app:
        assert Own in [type(fixup) for fixup in app.fixups]
    with Fixed(broker=memory_url, set_as_current=False, fixups=[]) as app:
        assert app.fixups == []


class Watching(Loader):
    """A loader that wants to know."""

    def __init__(self, app):
        super().__init__(app)
        self.told = []

    def read_configuration(self):
        return {"task_default_queue": "of the loader"}

    def on_task_init(self, task_id, task):
        self.told.append(("init", task_id, task.name))

    def on_process_cleanup(self):
        self.told.append("cleanup")


@pytest.mark.covers("app.base.Celery.loader", "app.base.Celery.loader_cls")
@pytest.mark.parametrize("given", [Watching, f"{HERE}:Watching"])
def test_a_loader_gives_defaults_and_is_told_of_the_runs_of_tasks(make_app, given):
    app = make_app(loader=given)

    @app.task(name="t", shared=False)
    def t():
        return 1

    assert app.conf.task_default_queue == "of the loader"
    t.apply(task_id="id")
    assert app.loader.told == [("init", "id", "t"), "cleanup"]


def test_a_loader_may_read_command_lines_in_its_own_way_and_tells_the_time(make_app):
    class Own(Loader):
        def cmdline_config_parser(self, args, namespace="celery"):
            read = super().cmdline_config_parser([arg for arg in args if "=" in arg], namespace)
            return {**read, "task_default_queue": "own"}

    app = make_app(loader=Own, imports=["json"], include=["json", "csv"])
    app.config_from_cmdline(["noise", "worker.prefetch_multiplier=3"])
    assert (app.conf.worker_prefetch_multiplier, app.conf.task_default_queue) == (3, "own")
    assert app.loader.default_modules == ["json", "csv"]
    assert app.loader.now().utcoffset() == timedelta(0)
    assert abs(app.loader.now(utc=False) - app.loader.now()) < timedelta(minutes=1)


def test_a_loader_that_wants_to_know_nothing_costs_nothing(app):
    assert app.fixups == []


# -- pickling ----------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.Pickler")
def test_a_pickled_app_is_the_app_of_that_name_where_there_is_one(make_app):
    app = make_app("here", set_as_current=True)
    assert pickle.loads(pickle.dumps(app)) is app


def test_elsewhere_an_app_like_it_is_made(memory_url):
    app = Shop("shop", broker=memory_url, set_as_current=False, task_default_queue="q", namespace="SHOP")
    app.conf.timezone = "Europe/Paris"
    data = pickle.dumps(app)
    set_current_app(None)
    set_default_app(None)
    again = pickle.loads(data)
    assert again is not app
    assert type(again) is Shop
    assert (again.main, again.namespace, again.conf.task_default_queue) == ("shop", "SHOP", "q")
    assert (again.conf.timezone, again.conf.broker_url) == ("Europe/Paris", memory_url)
    app.close()
    again.close()


class Renaming(AppPickler):
    """A pickler of a user."""

    def build_kwargs(self, app):
        return {**super().build_kwargs(app), "main": "renamed"}


class Renamed(Celery):
    """An app with that."""

    Pickler = Renaming


def test_a_subclass_may_say_what_is_pickled(memory_url):
    app = Renamed("plain", broker=memory_url, set_as_current=False)
    again = pickle.loads(pickle.dumps(app))
    assert again.main == "renamed"
    app.close()
    again.close()
