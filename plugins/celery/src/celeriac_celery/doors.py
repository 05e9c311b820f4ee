"""Modules of Celery's whose names are here in several modules, or elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final

from kombu.utils.imports import symbol_by_name

#: Where the names of each are looked for, in this order; `*` as the last: also in Celeriac's module of the same name.
DOORS: Final[Mapping[str, tuple[str, ...]]] = {
    "celery._state": ("celeriac_celery.state", "celeriac.app.current", "celeriac.app.proxies", "celeriac.app.sharing"),
    "celery.registry": ("celeriac_celery.state",),
    "celery.app": ("celeriac_celery.state", "*"),
    "celery.app.backends": ("celeriac_celery.backend_names",),
    "celery.app.base": ("celeriac_celery.configuration", "*"),
    "celery.app.defaults": ("celeriac_celery.configuration",),
    "celery.app.amqp": ("*",),
    "celery.app.routes": ("celeriac.app.routing",),
    "celery.app.trace": ("celeriac_celery.tracing",),
    "celery.app.utils": ("celeriac_celery.configuration", "celeriac.app", "celeriac.app.finding"),
    "celery.apps": ("*",),
    "celery.backends": ("*",),
    "celery.backends.base": (
        "celeriac_celery.result_backend",
        "celeriac_celery.key_value_backend",
        "celeriac.results.disabled",
        "celeriac.app.current",
    ),
    "celery.bin": ("*",),
    "celery.bin.base": ("celeriac_celery.command_line",),
    "celery.bin.call": ("celeriac.cli.basics",),
    "celery.bin.celery": ("celeriac_celery.command_line", "celeriac.cli.main"),
    "celery.bin.control": ("celeriac.cli.remote",),
    "celery.bin.list": ("celeriac.cli.bindings",),
    "celery.bin.multi": ("celeriac.cli.multi", "celeriac.apps.multi"),
    "celery.bin.purge": ("celeriac.cli.basics",),
    "celery.bin.result": ("celeriac.cli.basics",),
    "celery.bin.worker": ("celeriac.cli.worker",),
    "celery.concurrency": ("celeriac_celery.pool_names",),
    "celery.concurrency.base": ("celeriac_celery.pool_adapter",),
    "celery.contrib": ("*",),
    "celery.contrib.django": (),
    "celery.contrib.django.task": ("celeriac_django.task",),
    "celery.contrib.migrate": ("celeriac_celery.moving",),
    "celery.contrib.rdb": ("*",),
    "celery.events": ("*", "celeriac.events.dispatcher"),
    "celery.exceptions": ("*", "kombu.exceptions"),
    "celery.fixups": ("*",),
    "celery.fixups.django": ("celeriac_celery.django_fixup", "celeriac_django.fixup"),
    "celery.loaders": ("celeriac_celery.loader_names", "*"),
    "celery.local": ("celeriac_celery.proxies", "*"),
    "celery.platforms": ("celeriac_celery.operating_system", "celeriac_celery.daemons", "*"),
    "celery.loaders.default": ("*",),
    "celery.utils": (
        "*",
        "celeriac_celery.functional",
        "celeriac_celery.imports",
        "celeriac_celery.nodenames",
        "celeriac_celery.logs",
    ),
    "celery.utils.annotations": ("celeriac_celery.hints",),
    "celery.utils.abstract": ("celeriac_celery.abstract",),
    "celery.utils.collections": ("celeriac_celery.collections",),
    "celery.utils.debug": ("celeriac_celery.measuring",),
    "celery.utils.deprecated": ("celeriac_celery.deprecated",),
    "celery.utils.dispatch": ("celeriac.signals",),
    "celery.utils.dispatch.signal": ("celeriac.signals",),
    "celery.utils.functional": ("celeriac_celery.functional", "kombu.utils.functional"),
    "celery.utils.graph": ("celeriac.graph",),
    "celery.utils.imports": ("celeriac_celery.imports", "kombu.utils.imports"),
    "celery.utils.iso8601": ("celeriac_celery.moments",),
    "celery.utils.log": ("*", "celeriac_celery.logs"),
    "celery.utils.nodenames": ("celeriac_celery.nodenames", "celeriac.app.queues"),
    "celery.utils.objects": ("celeriac_celery.objects",),
    "celery.utils.quorum_queues": ("celeriac_celery.quorum_queues",),
    "celery.utils.saferepr": ("celeriac_celery.objects",),
    "celery.utils.serialization": ("celeriac_celery.serialization",),
    "celery.utils.sysinfo": ("celeriac_celery.operating_system",),
    "celery.utils.term": ("celeriac_celery.terminal",),
    "celery.utils.text": ("celeriac_celery.text",),
    "celery.utils.threads": ("celeriac_celery.threads",),
    "celery.utils.time": ("celeriac_celery.moments",),
    "celery.utils.timer2": ("kombu.asynchronous.timer",),
    "celery.worker": ("celeriac.worker.boot",),
    "celery.worker.consumer": ("*",),
    "celery.worker.consumer.consumer": ("*", "celeriac_celery.consumer_steps"),
    "celery.worker.consumer.delayed_delivery": ("celeriac_celery.consumer_steps",),
    "celery.worker.worker": ("celeriac.worker.boot",),
}

#: Names that are called otherwise here, and where they are.
RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "celery.app.amqp": {"task_message": "celeriac.protocol.task:TaskMessage"},
    "celery.app.routes": {
        "expand_router_string": "celeriac_celery.imports:instantiate",
        "prepare": "celeriac.app.routing:prepare_routes",
    },
    "celery.app.utils": {"filter_hidden_settings": "celeriac.app.masking:masked"},
    "celery.backends.base": {"BaseKeyValueStoreBackend": "celeriac_celery.key_value_backend:KeyValueStoreBackend"},
    "celery.bin.list": {"list_": "celeriac.cli.bindings:list_command"},
    "celery.contrib.rdb": {
        "CELERY_RDB_HOST": "celeriac.worker.debugger:DEFAULT_HOST",
        "CELERY_RDB_PORT": "celeriac.worker.debugger:DEFAULT_PORT",
        "debugger": "celeriac.worker.debugger:Rdb",
    },
    "celery.loaders.default": {"DEFAULT_CONFIG_MODULE": "celeriac.app.loader:DEFAULT_MODULE"},
    "celery.utils.graph": {"CycleError": "builtins:ValueError"},
    "celery.utils.timer2": {"Schedule": "kombu.asynchronous.timer:Timer"},
}

#: Modules that are another one of ours, whole, because their names are looked up and set in it.
ALIASES: Final[Mapping[str, str]] = {
    **{
        f"celery.bin.{command}": f"celeriac.cli.{command}"
        for command in ("amqp", "beat", "events", "graph", "logtool", "migrate", "shell", "upgrade")
    },
    "celery.worker.state": "celeriac_celery.worker_state",
}

#: Those of them that have modules below.
PACKAGES: Final = frozenset(
    {
        *("celery.app", "celery.apps", "celery.backends", "celery.bin", "celery.concurrency", "celery.contrib"),
        *("celery.contrib.django", "celery.events", "celery.fixups", "celery.loaders", "celery.utils"),
        *("celery.utils.dispatch", "celery.worker", "celery.worker.consumer"),
    }
)


class Door(ModuleType):
    """A module that finds each of its names in one of its homes, when somebody asks for it."""

    def __init__(self, name: str, homes: tuple[str, ...]) -> None:
        super().__init__(name, f"{name}: {', '.join(homes)}.")
        # What somebody has replaced: where it was, and what was there.
        self.__dict__.update(_homes=homes, _replaced={})
        if name in PACKAGES:
            self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self._all()
        if name == "__file__" and (home := next(self._modules(), None)) is not None:
            return home.__file__
        if (where := RENAMED.get(self.__name__, {}).get(name)) is not None:
            return symbol_by_name(where)
        if not name.startswith("__"):
            for module in self._modules():
                if hasattr(module, name):
                    return getattr(module, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Who replaces a name (``mock.patch``, instrumentation) replaces it where it is used."""
        home = None if name.startswith("__") or isinstance(value, ModuleType) else self._home_of(name)
        if home is None:
            super().__setattr__(name, value)
        else:
            self.__dict__["_replaced"].setdefault(name, (home, vars(home)[name]))
            setattr(home, name, value)

    def __delattr__(self, name: str) -> None:
        """Who has replaced a name, and takes that back, finds it as it was."""
        if name in self.__dict__ or name not in self.__dict__["_replaced"]:
            super().__delattr__(name)
        else:
            home, value = self.__dict__["_replaced"].pop(name)
            setattr(home, name, value)

    def _home_of(self, name: str) -> ModuleType | None:
        return next((module for module in self._modules() if name in vars(module)), None)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._all()})

    def _all(self) -> list[str]:
        there = {name for module in self._modules() for name in _public(module)}
        return sorted(there.union(RENAMED.get(self.__name__, ())))

    def _modules(self) -> Iterator[ModuleType]:
        for home in self.__dict__["_homes"]:
            if (module := _imported(home)) is not None:
                yield module


def homes_of(name: str) -> tuple[str, ...]:
    """The modules behind a door."""
    same = "celeriac" + name.removeprefix("celery")
    return tuple(same if home == "*" else home for home in DOORS[name])


def _imported(name: str) -> ModuleType | None:
    """The module; None where it is not there, as those of plugins that are not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        return None


def _public(module: ModuleType) -> list[str]:
    found = getattr(module, "__all__", None)
    return [name for name in vars(module) if not name.startswith("_")] if found is None else list(found)
