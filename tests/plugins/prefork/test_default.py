"""Where the pool is installed it is the default, and only that."""

from __future__ import annotations

from celeriac import Celery


def test_an_installed_prefork_is_the_default_pool():
    app = Celery("proj", broker="memory://", set_as_current=False)

    assert app.conf.worker_pool == "prefork"


def test_a_configured_pool_is_stronger_than_the_default():
    app = Celery("proj", broker="memory://", set_as_current=False, worker_pool="solo")

    assert app.conf.worker_pool == "solo"
