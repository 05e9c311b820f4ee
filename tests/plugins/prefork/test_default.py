"""Where the pool is installed it is the default, and only that."""

from __future__ import annotations

import pytest

from celeriac import Celery


@pytest.mark.covers("settings.worker_pool")
def test_an_installed_prefork_is_the_default_pool():
    app = Celery("proj", broker="memory://", set_as_current=False)

    assert app.conf.worker_pool == "prefork"


@pytest.mark.covers("settings.worker_pool")
def test_a_configured_pool_is_stronger_than_the_default():
    app = Celery("proj", broker="memory://", set_as_current=False, worker_pool="solo")

    assert app.conf.worker_pool == "solo"
