"""What a plugin is written with, and the kernel that finds, loads and asks plugins.

Importing this package loads nothing: each name is fetched when it is first used, so that an app that has not
asked for a plugin pays for none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from celeriac.contracts.middleware import Middleware as Middleware
    from celeriac.contracts.outcome import Outcome as Outcome
    from celeriac.contracts.outcome import OutcomeKind as OutcomeKind
    from celeriac.plugin.manager import PluginManager as PluginManager
    from celeriac.plugin.markers import hookimpl as hookimpl
    from celeriac.plugin.options import TaskOption as TaskOption
    from celeriac.plugin.settings import Schema as Schema
    from celeriac.plugin.settings import Setting as Setting
    from celeriac.plugin.state import PluginState as PluginState

__all__ = [
    "Middleware",
    "Outcome",
    "OutcomeKind",
    "PluginManager",
    "PluginState",
    "Schema",
    "Setting",
    "TaskOption",
    "hookimpl",
]

_HOMES: Final = {
    "Middleware": "celeriac.contracts.middleware",
    "Outcome": "celeriac.contracts.outcome",
    "OutcomeKind": "celeriac.contracts.outcome",
    "PluginManager": "celeriac.plugin.manager",
    "PluginState": "celeriac.plugin.state",
    "Schema": "celeriac.plugin.settings",
    "Setting": "celeriac.plugin.settings",
    "TaskOption": "celeriac.plugin.options",
    "hookimpl": "celeriac.plugin.markers",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
