"""Pools by name (``celery.concurrency``)."""

from __future__ import annotations

from typing import Any

from kombu.utils.imports import symbol_by_name

from celeriac.contracts import Pool
from celeriac.plugin.manager import PluginManager

#: What pools of our kind inherit; one that was written for Celery's would have to be written anew.
BasePool = Pool


def get_implementation(cls: Any) -> Any:
    """The class of the pool of that name.  Raises `PluginNotFound`."""
    return PluginManager().driver("pool", cls) if isinstance(cls, str) else cls


def get_available_pool_names() -> tuple[str, ...]:
    """The names of the pools that are installed."""
    return tuple(PluginManager().driver_names("pool"))


def __getattr__(name: str) -> Any:
    if name == "TaskPool":
        return symbol_by_name("celeriac.worker.solo:SoloPool")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["BasePool", "get_available_pool_names", "get_implementation"]
