"""What Celery has under its names is here, too, or is missing with a reason."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from celeriac_celery.absences import ABSENT
from celeriac_celery.doors import ALIASES, DOORS, PACKAGES
from celeriac_celery.driver_modules import DRIVEN

DATA = Path(__file__).parents[2] / "data"
#: The modules of Celery 5.7 with what each offers: its `__all__`, or what it defines.
MODULES = json.loads((DATA / "celery-modules.json").read_text())
#: What 42 packages from PyPI import of Celery, and which of them do: `module:name`, or `module:` alone.
IMPORTED = json.loads((DATA / "celery-imports.json").read_text())
#: Result stores and pools that no plugin here has.
NO_PLUGIN = "is a plugin that is not installed"


def found(module):
    """The module; None where it is not there, and that is said."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if module in ABSENT or NO_PLUGIN in error.msg:
            return None
        raise


def has(module, name):
    if hasattr(module, name):
        return True
    try:
        importlib.import_module(f"{module.__name__}.{name}")
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_names_that_celerys_has(name):
    module = found(name)

    assert (
        module is None
        or [each for each in MODULES[name] if f"{name}:{each}" not in ABSENT and not has(module, each)] == []
    )


@pytest.mark.parametrize("path", IMPORTED)
def test_what_packages_import_is_there(path):
    name, _, attribute = path.partition(":")
    module = found(name)

    assert module is None or path in ABSENT or not attribute or has(module, attribute)


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_said_to_be_missing_is_missing(path):
    name, _, attribute = path.partition(":")
    if not attribute:
        with pytest.raises(ModuleNotFoundError) as raised:
            importlib.import_module(name)
        assert ABSENT[path] in raised.value.msg or NO_PLUGIN in raised.value.msg
    elif (module := found(name)) is not None:
        assert not has(module, attribute)


def test_what_two_packages_import_is_missing_only_where_it_must():
    common = [path for path, packages in IMPORTED.items() if len(packages) > 1]
    assert len(common) > 40
    assert [path for path in common if path in ABSENT] == []


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("celery.backends.cassandra", "the result store 'cassandra' is a plugin that is not installed"),
        ("celery.backends.mongodb", "No plugin of ours has it"),
        ("celery.worker.loops", "the loop of a worker is its own"),
    ],
)
def test_what_is_missing_says_why(module, told):
    with pytest.raises(ModuleNotFoundError, match=told) as raised:
        importlib.import_module(module)
    assert raised.value.name == module


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("celery.backends.redis:RedisBackend", "celeriac_redis.backend:RedisBackend"),
        ("celery.backends.rpc:RPCBackend", "celeriac_amqp.backend:RpcBackend"),
        ("celery.concurrency.prefork:TaskPool", "celeriac_prefork.pool:PreforkPool"),
        ("celery.concurrency.thread:TaskPool", "celeriac_threads.pool:ThreadPool"),
        ("celery.concurrency.solo:TaskPool", "celeriac.worker.solo:SoloPool"),
        ("celery.bin.worker:worker", "celeriac.cli.worker:worker"),
        ("celery.bin.control:inspect", "celeriac.cli.remote:inspect"),
        ("celery.app.amqp:task_message", "celeriac.protocol.task:TaskMessage"),
    ],
)
def test_a_driver_is_that_of_its_plugin(path, home):
    both = [getattr(importlib.import_module(each.partition(":")[0]), each.partition(":")[2]) for each in (path, home)]
    assert both[0] is both[1]


def test_what_is_below_a_package_is_found_in_it():
    # `from package import module` asks the package for the module by the package's own name.
    ours = {*DOORS, *ALIASES, *DRIVEN}
    packages = {name.rpartition(".")[0] for name in ours} - {"celery"}
    assert packages <= PACKAGES <= {*DOORS}


def test_a_plugin_that_is_not_installed_is_named(monkeypatch):
    from celeriac_celery import driver_modules

    class Bare:
        def driver_names(self, kind):
            return []

    monkeypatch.setattr(driver_modules, "PluginManager", Bare)
    assert "pip install celeriac-redis" in driver_modules.missing("celery.backends.redis")
    assert "pip install celeriac-prefork" in driver_modules.missing("celery.concurrency.prefork")
    assert "write-a-backend.md" in driver_modules.missing("celery.backends.s3")
