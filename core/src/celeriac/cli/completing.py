"""What the Tab key offers for values; names of options and commands click knows itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import click

#: What click asks: with the context, the parameter and what was typed of the value; gives the values.
Completion = Callable[[click.Context, click.Parameter, str], list[str]]

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def levels(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
    """Levels of the log, in the case that was begun with."""
    known = (level.lower() for level in _LEVELS) if typed.islower() else _LEVELS
    return _beginning(typed, known)


def drivers(kind: str) -> Completion:
    """The names of the installed drivers of a kind."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
        from celeriac.plugin.manager import PluginManager

        return _beginning(typed, PluginManager().driver_names(kind))

    return complete


def remote_commands(kind: str) -> Completion:
    """The kernel's commands of ``inspect`` or ``control``; the app, which may have more, is not loaded for this."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[str]:
        from celeriac.worker.control import Panel

        return _beginning(typed, (one.name for one in Panel.meta.values() if one.type == kind and one.visible))

    return complete


def _beginning(typed: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(typed))
