"""Which pool a name means."""

from __future__ import annotations

import pytest

from celeriac import Celery
from celeriac.exceptions import ImproperlyConfigured
from celeriac.plugin.known import remedy_for
from celeriac.worker.pool_names import pool_named
from celeriac.worker.solo import SoloPool


@pytest.fixture
def app():
    with Celery("pools", broker="memory://", set_as_current=False) as app:
        yield app


class OwnPool(SoloPool):
    """A pool of the user's."""

    name = "own"


@pytest.mark.parametrize("place", ["celeriac.worker.solo:SoloPool", "celeriac.worker.solo.SoloPool"])
def test_custom_is_the_class_that_the_variable_names(app, monkeypatch, place):
    monkeypatch.setenv("CELERY_CUSTOM_WORKER_POOL", place)
    assert app.plugins.driver("pool", pool_named("custom")) is SoloPool


def test_custom_without_the_variable_says_what_is_missing(monkeypatch):
    with pytest.raises(ImproperlyConfigured, match="CELERY_CUSTOM_WORKER_POOL"):
        pool_named("custom")


def test_a_class_is_itself_and_a_name_is_a_plugins(app):
    assert app.Worker(pool=OwnPool).pool_class is OwnPool
    assert pool_named("prefork") == "prefork"


@pytest.mark.covers("pools.processes")
def test_processes_is_prefork(app):
    assert app.plugins.driver("pool", "processes").name == "prefork"


def test_who_asks_for_a_pool_that_is_not_installed_is_told_how_to_have_it():
    assert remedy_for("pool", "eventlet") == "It comes with celeriac-eventlet: pip install celeriac-eventlet"
