"""The app itself: which one is current, when it is finalized, what it finds, how it ends."""

from __future__ import annotations

import sys
import threading
import zoneinfo
from datetime import UTC

import pytest

import celeriac
from celeriac import Celery, current_app, get_current_app
from celeriac.app import app_or_default
from celeriac.exceptions import ImproperlyConfigured, PluginNotFound

# -- current and default -----------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.set_current", "app.base.Celery.set_default")
def test_the_app_made_last_is_current_and_the_first_one_is_that_of_other_threads(make_app):
    first = make_app("first", set_as_current=True)
    second = make_app("second", set_as_current=True)
    assert get_current_app() is second
    assert current_app.main == "second"
    found = []
    thread = threading.Thread(target=lambda: found.append(get_current_app()))
    thread.start()
    thread.join(10)
    assert found == [first]
    assert app_or_default() is second
    assert app_or_default(first) is first


@pytest.mark.covers("app.base.Celery.set_current", "app.base.Celery.set_default")
def test_an_app_may_stay_aside_and_become_current_or_default_later(make_app):
    first = make_app("first", set_as_current=True)
    aside = make_app("aside")
    assert get_current_app() is first
    aside.set_current()
    assert get_current_app() is aside
    aside.set_default()
    found = []
    thread = threading.Thread(target=lambda: found.append(get_current_app()))
    thread.start()
    thread.join(10)
    assert found == [aside]


def test_without_an_app_there_is_a_default_one(make_app):
    found = get_current_app()
    assert found.main == "default"
    assert get_current_app() is found
    assert celeriac.app.default_app is found
    found.close()
    assert get_current_app() is not found


def test_a_closed_app_is_forgotten_and_its_tasks_are_given_to_nobody(make_app):
    with make_app("gone", set_as_current=True) as gone:

        @gone.task(name="of.gone")
        def job():
            pass

        assert get_current_app() is gone
    assert get_current_app() is not gone
    assert "of.gone" not in make_app("new").tasks


def test_an_app_is_shown_by_its_name(make_app):
    assert repr(make_app("proj")) == "<Celery proj>"
    assert repr(make_app(None)) == "<Celery __main__>"


def test_a_subclass_is_told_at_the_end_of_its_construction(memory_url):
    class Shop(Celery):
        def on_init(self):
            self.seen = self.conf.broker_url

    app = Shop("proj", broker=memory_url, set_as_current=False)
    assert app.seen == memory_url
    app.close()


@pytest.mark.covers("app.base.Celery.steps", "app.base.Celery.user_options")
def test_steps_and_options_of_users_may_be_added(app):
    app.steps["worker"].add(int)
    app.steps["consumer"].add(str)
    app.user_options["worker"].add("an option")
    app.user_options["preload"].add("another")
    assert app.steps == {"worker": {int}, "consumer": {str}}


# -- finalization ------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.tasks", "app.base.Celery.finalize")
def test_an_app_is_finalized_when_its_tasks_are_asked_for(app):
    order = []
    app.on_after_finalize.connect(lambda sender, **_: order.append((sender, sender.finalized)), weak=False)
    assert not app.finalized
    _ = app.tasks
    _ = app.tasks
    app.finalize()
    assert order == [(app, True)]


def test_an_app_that_is_finalized_by_hand_refuses_to_be_used_before(make_app):
    app = make_app(autofinalize=False)

    @app.task
    def job():
        pass

    with pytest.raises(RuntimeError, match=r"call app\.finalize\(\)"):
        _ = app.tasks
    with pytest.raises(RuntimeError, match=r"call app\.finalize\(\)"):
        job.delay()
    app.finalize()
    assert job.name in app.tasks


def test_a_task_class_is_told_when_it_is_bound(make_app):
    bound = []

    class Told(celeriac.Task):
        abstract = True

        def on_bound(self, app):
            bound.append((self.name, app))

    app = make_app()

    @app.task(base=Told, name="t")
    def job():
        pass

    assert bound == []
    app.finalize()
    app.finalize()
    assert bound == [("t", app)]


# -- discovery ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Packages ``foo_of_test``, ``bar_of_test`` with tasks, and ``baz_of_test`` without; forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    text = "from celeriac import shared_task\n@shared_task(name='{0}.job')\ndef job(): return '{0}'\n"
    names = [f"{name}_of_test" for name in ("foo", "bar", "baz")]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / names[0] / "tasks.py").write_text(text.format("foo"))
    (tmp_path / names[0] / "jobs.py").write_text(text.format("foo.jobs"))
    (tmp_path / names[1] / "tasks.py").write_text(text.format("bar"))
    from celeriac.app import sharing

    known = list(sharing._definitions)
    yield names
    for name in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[name]
    sharing._definitions[:] = [entry for entry in sharing._definitions if entry[0] is not None or entry in known]


@pytest.mark.covers("app.base.Celery.autodiscover_tasks")
@pytest.mark.parametrize("how", [list, lambda names: lambda: names])
def test_tasks_of_packages_are_found_when_they_are_needed(app, packages, how):
    app.autodiscover_tasks(how(packages))
    assert "foo_of_test.tasks" not in sys.modules
    assert {"foo.job", "bar.job"} <= set(app.tasks)
    assert "foo.jobs.job" not in app.tasks


def test_the_module_may_have_another_name_or_be_the_package_itself(app, packages):
    app.autodiscover_tasks(packages, related_name="jobs")
    app.autodiscover_tasks(["bar_of_test.tasks"], related_name=None)
    assert {"foo.jobs.job", "bar.job"} <= set(app.tasks)


@pytest.mark.covers("app.base.Celery.autodiscover_tasks")
def test_discovery_may_be_forced_and_comes_at_once_after_finalization(app, packages):
    app.autodiscover_tasks(packages[:1], force=True)
    assert "foo_of_test.tasks" in sys.modules
    app.finalize()
    app.autodiscover_tasks(packages[1:])
    assert "bar.job" in app.tasks


def test_a_module_that_cannot_be_imported_is_an_error_each_time_until_it_can_be(app, packages, tmp_path):
    broken = tmp_path / "baz_of_test" / "tasks.py"
    broken.write_text("import a_library_that_is_missing\n")
    app.autodiscover_tasks(packages)
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="a_library_that_is_missing"):
            _ = app.tasks
    assert not app.finalized
    broken.write_text("# mended, and longer than before, so that no cache of bytecode is taken for it\n")
    assert "foo.job" in app.tasks


def test_a_package_that_is_missing_is_an_error(app):
    app.autodiscover_tasks(["no_such_package_at_all"])
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        _ = app.tasks


# -- reaching the broker -----------------------------------------------------------------------------------------------


def test_without_any_broker_the_error_says_what_to_install_or_to_set(make_app):
    app = make_app(broker=None, backend=None)
    with pytest.raises(ImproperlyConfigured) as caught:
        app.send_task("t")
    assert "pip install celeriac-sqlite" in str(caught.value)
    assert "broker_url" in str(caught.value)


def test_an_unknown_scheme_is_answered_with_what_is_near(make_app):
    with pytest.raises(PluginNotFound, match=r"Did you mean 'memory'"):
        make_app(broker="memroy://").send_task("t")
    with pytest.raises(PluginNotFound, match="Kombu has a transport for it"):
        make_app(broker="zookeeper://").send_task("t")


@pytest.mark.covers("app.base.Celery.connection_for_read", "app.base.Celery.connection_for_write")
@pytest.mark.covers("settings.broker_url", "settings.broker_read_url", "settings.broker_write_url")
def test_reading_and_writing_may_go_to_different_places(make_app):
    app = make_app(broker="memory://both", broker_read_url="memory://r", broker_write_url="memory://w")
    assert (app.broker_url(write=True), app.broker_url(write=False)) == ("memory://w", "memory://r")
    assert app.connection_for_read().hostname == "r"
    assert app.connection_for_write().hostname == "w"
    assert app.connection("memory://x").hostname == "x"


def test_the_uri_of_the_broker_can_be_shown(make_app):
    assert make_app(broker="redis://u:p@h/").broker_uri() == "redis://u:**@h/"
    assert make_app(broker=["redis://u:p@h/", "redis://:q@i/"]).broker_uri() == "redis://u:**@h/;redis://:**@i/"


@pytest.mark.covers(
    "settings.broker_transport_options",
    "settings.broker_connection_timeout",
    "settings.broker_user",
    "settings.broker_password",
)
def test_settings_of_the_connection_reach_it(make_app):
    app = make_app(
        broker_user="u", broker_password="p", broker_connection_timeout=9, broker_transport_options={"polling": 1}
    )
    connection = app.connection_for_write(heartbeat=5)
    assert (connection.userid, connection.password, connection.connect_timeout) == ("u", "p", 9)
    assert (connection.transport_options["polling"], connection.heartbeat) == (1, 5)


@pytest.mark.covers("app.base.Celery.oid", "app.base.Celery.thread_oid")
def test_ids_of_app_and_thread_are_stable_and_differ(make_app):
    one, two = make_app(), make_app()
    assert one.oid == one.oid
    assert one.thread_oid == one.thread_oid
    assert len({one.oid, two.oid, one.thread_oid, two.thread_oid}) == 4


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.timezone", "app.base.Celery.now")
@pytest.mark.covers("settings.timezone")
@pytest.mark.parametrize(
    ("name", "zone"), [(None, UTC), ("UTC", UTC), ("utc", UTC), ("Europe/Paris", zoneinfo.ZoneInfo("Europe/Paris"))]
)
def test_the_time_zone_is_that_of_the_setting(make_app, name, zone):
    app = make_app(timezone=name)
    assert app.timezone == zone
    assert app.now().tzinfo == zone


@pytest.mark.parametrize("name", ["Europe/Nowhere", "../etc/passwd", "x" * 5000])
def test_a_time_zone_that_nobody_knows_is_an_error_that_names_the_setting(make_app, name):
    with pytest.raises(ImproperlyConfigured, match="the setting timezone names no time zone"):
        _ = make_app(timezone=name).timezone


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.mark.covers("app.base.Celery.worker_main")
def test_worker_main_wants_the_word_worker(app):
    with pytest.raises(ValueError, match="needs the word 'worker'"):
        app.worker_main(["-l", "INFO"])
