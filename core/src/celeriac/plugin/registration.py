"""Plugins as a manager knows them, and what is checked before one may take part."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from celeriac.exceptions import PluginError
from celeriac.plugin.markers import PROJECT
from celeriac.plugin.specs import HOOKS
from celeriac.plugin.spelling import did_you_mean

_MARK: Final = PROJECT + "_impl"


@dataclass(frozen=True, slots=True, eq=False)
class Plugin:
    """One registered object with hook implementations.

    `key` is its unique name in pluggy; `distribution` and `version` are empty where it was registered in this
    process.
    """

    key: str
    instance: Any
    distribution: str = ""
    version: str = ""

    def is_made_of(self, registered: Any) -> bool:
        """Whether this is what became of an object, module or class that somebody registers."""
        return self.instance is registered or (isinstance(registered, type) and type(self.instance) is registered)

    @property
    def owner(self) -> str:
        """How error messages name it."""
        if self.distribution:
            return f"{self.distribution} {self.version}"
        return f"the plugin {self.key} registered in this process"

    @property
    def remedy(self) -> str:
        """What somebody can do when it misbehaves."""
        if self.distribution:
            return (
                f"Upgrade it (pip install --upgrade {self.distribution}) or disable it "
                f"(CELERIAC_PLUGINS_DISABLE={self.distribution})"
            )
        return "Mend it, or don't register it"


def check_hooks(plugin: Plugin) -> None:
    """Raise `PluginError` for a hook or an argument that does not exist, a hook without its mark, or a wrapper.

    A hook marked ``optionalhook=True`` may be unknown: a plugin can serve several versions of the kernel.
    """
    for name in dir(plugin.instance):
        function = inspect.getattr_static(plugin.instance, name)
        function = getattr(function, "__func__", function)
        options = getattr(function, _MARK, None)
        if not isinstance(options, dict):
            if name in HOOKS and inspect.isfunction(function):
                raise PluginError(f"{plugin.owner} defines {name} without @hookimpl, so it would never be called")
            continue
        hook = options.get("specname") or name
        if hook not in HOOKS and not options.get("optionalhook"):
            raise PluginError(
                f"{plugin.owner} implements the hook {hook}, which does not exist.{did_you_mean(hook, HOOKS)}"
            )
        if options.get("wrapper") or options.get("hookwrapper"):
            raise PluginError(
                f"{plugin.owner} implements {hook} as a wrapper around other plugins, which is not served; "
                "return a value, or middleware"
            )
        if hook in HOOKS:
            _check_arguments(plugin, hook, getattr(plugin.instance, name))


def _check_arguments(plugin: Plugin, hook: str, implementation: Any) -> None:
    given = inspect.signature(HOOKS[hook]).parameters
    for name in inspect.signature(implementation).parameters:
        if name not in given:
            has = f"its arguments are {', '.join(given)}" if given else "it has no arguments"
            raise PluginError(f"{plugin.owner} implements {hook} with the argument {name}, but {has}")


def hooks_of(instance: Any) -> tuple[str, ...]:
    """The names of the hooks that an object implements, in the order of the reference page."""
    found: Collection[str] = {
        options.get("specname") or name
        for name in dir(instance)
        if isinstance(options := getattr(inspect.getattr_static(instance, name), _MARK, None), dict)
    }
    return tuple(name for name in HOOKS if name in found)
