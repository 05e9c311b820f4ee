"""The configuration and the installation, as people see them."""

from __future__ import annotations

import platform

import pytest

import celeriac
from celeriac.app import bugreport
from celeriac.plugin import Setting, hookimpl


@pytest.mark.covers("app.base.Celery.bugreport")
def test_a_bug_report_says_what_is_installed_and_configured_and_no_password(make_app):
    app = make_app(broker="redis://user:hunter2@host/0", task_default_queue="q")

    class Shop:
        @hookimpl
        def celeriac_report(self, app):
            return {"shop": "open"}

    app.plugins.register(Shop())
    text = app.bugreport()
    for part in (
        f"celeriac:{celeriac.__version__}",
        f"py:{platform.python_version()}",
        f"system:{platform.system()}",
        "transport:redis results:memory",
        "celeriac.app.loader.AppLoader",
        "open",
        "task_default_queue: 'q'",
        "broker_url: 'redis://user:**@host/0'",
    ):
        assert part in text
    assert "hunter2" not in text


def test_without_an_app_it_is_of_the_current_one(make_app):
    app = make_app(set_as_current=True, task_default_queue="mine")
    assert celeriac.bugreport() == bugreport(app) == app.bugreport()


class Secretive:
    """A plugin with a secret."""

    @hookimpl
    def celeriac_settings(self):
        return [Setting("shop_key", str, None, "Opens the shop.", secret=True)]


@pytest.fixture
def secretive(make_app):
    app = make_app(shop_key="hunter2", broker="redis://:hunter2@h", task_default_queue="q")
    app.plugins.register(Secretive())
    return app


def test_the_configuration_is_a_table_or_a_text_without_secrets(secretive):
    table = secretive.conf.table()
    assert (table["shop_key"], table["task_default_queue"]) == ("**", "q")
    assert "timezone" not in table
    assert secretive.conf.table(with_defaults=True)["timezone"] is None
    assert "shop_key: '**'" in secretive.conf.humanize().splitlines()
    assert "hunter2" not in secretive.conf.humanize(with_defaults=True)


def test_secrets_are_shown_only_to_who_asks_for_them(secretive):
    assert secretive.conf.table(censored=False)["shop_key"] == "hunter2"
    assert secretive.conf.without_defaults()["broker_url"] == "redis://:hunter2@h"
    assert "timezone" not in secretive.conf.without_defaults()


def test_changes_are_what_was_set_on_the_app(make_app):
    app = make_app(task_default_queue="q")
    app.config_from_object({"timezone": "UTC"})
    assert app.conf.changes["task_default_queue"] == "q"
    assert "timezone" not in app.conf.changes


def test_settings_may_be_asked_for_by_parts_or_the_first_that_is_set(make_app):
    app = make_app(task_default_queue="q")
    assert app.conf.get_by_parts("task", "default_queue") == "q"
    assert app.conf.first("timezone", "task_default_queue") == "q"
    assert app.conf.value_set_for("task_default_queue")
    assert not app.conf.value_set_for("timezone")


@pytest.mark.covers("app.base.Celery.either")
def test_either_is_the_first_that_is_given_else_the_setting(app):
    assert app.either("task_default_queue", None, "given") == "given"
    assert app.either("task_default_queue", None) == "celery"


@pytest.mark.covers("app.base.Celery.uses_utc_timezone")
@pytest.mark.parametrize(("zone", "is_utc"), [(None, True), ("UTC", True), ("Europe/Paris", False)])
def test_an_app_knows_whether_its_zone_is_utc(make_app, zone, is_utc):
    assert make_app(timezone=zone).uses_utc_timezone() is is_utc
