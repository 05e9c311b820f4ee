"""The places where users of Celery import from lead to the same things here."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("celeriac.app.registry", "TaskRegistry", "celeriac.app.registry"),
        ("celeriac.app.base", "Celery", "celeriac.app.base"),
        ("celeriac.app", "app_or_default", "celeriac.app"),
        ("celeriac.fixups", "Fixup", "celeriac.contracts.fixup"),
        ("celeriac.loaders.app", "AppLoader", "celeriac.app.loader"),
        ("celeriac.loaders.base", "BaseLoader", "celeriac.contracts.loader"),
        ("celeriac.loaders.default", "Loader", "celeriac.app.loader"),
        ("celeriac.local", "Proxy", "celeriac.app.proxies"),
        ("celeriac.utils", "uuid", "celeriac.app.identifiers"),
        ("celeriac.utils", "worker_direct", "celeriac.app.queues"),
        ("celeriac.utils.log", "get_logger", "celeriac.app.loggers"),
        ("celeriac.utils.log", "get_task_logger", "celeriac.app.loggers"),
        ("celeriac.utils.log", "mlevel", "celeriac.app.loggers"),
    ],
)
def test_a_name_is_found_where_celery_has_it(module, name, home):
    assert getattr(import_module(module), name).__module__ == home


@pytest.mark.parametrize("module", ["celeriac.fixups", "celeriac.loaders.base", "celeriac.local", "celeriac.utils.log"])
def test_a_door_says_what_is_behind_it(module):
    found = import_module(module)
    assert list(found.__all__) == sorted(found.__all__)
    assert all(hasattr(found, name) for name in found.__all__)


def test_a_proxy_is_what_it_finds_at_that_moment():
    from celeriac.local import Proxy

    found = ["first"]
    proxy = Proxy(lambda: found[-1])
    assert proxy == "first"
    assert proxy.upper() == "FIRST"
    found.append("second")
    assert proxy == "second"
    assert isinstance(proxy, str)
