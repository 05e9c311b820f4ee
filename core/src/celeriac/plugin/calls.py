"""Calls of hooks through pluggy, in which an error names the plugin that it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import CeleryError, PluginError
from celeriac.plugin.index import KERNEL

if TYPE_CHECKING:
    import pluggy

    from celeriac.plugin.registration import Plugin


class Hooks:
    """Each hook as an attribute: ``hooks.celeriac_configured(app=app)``.

    A call returns what pluggy returns: a list without None, or the first result for resolution hooks.  It raises
    `PluginError`, chained, naming the plugin in which something else was raised; an error of Celeriac's own that a
    plugin raises passes, with a note that names the plugin.
    """

    def __init__(self, manager: pluggy.PluginManager, plugins: Mapping[str, Plugin]) -> None:
        self._manager = manager
        #: By pluggy's name of each; shared with the plugin manager, which adds and removes.
        self._plugins = plugins

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        caller: pluggy.HookCaller = getattr(self._manager.hook, name)

        def call(**arguments: Any) -> Any:
            with blaming(lambda error: self._culprit(caller, error), name):
                return caller(**arguments)

        return call

    def tell(self, name: str, **arguments: Any) -> None:
        """Call a hook of the app's life: a plugin that is registered later is told at once."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, name)
        with blaming(lambda error: self._culprit(caller, error), name):
            caller.call_historic(kwargs=arguments)

    def implementers(self, name: str) -> list[Plugin]:
        """The plugins that implement a hook, in the order in which they are asked."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, name)
        keys = dict.fromkeys(found.plugin_name for found in reversed(caller.get_hookimpls()))
        return [self._plugins[key] for key in keys]

    def ask(self, plugin: Plugin, name: str, **arguments: Any) -> list[Any]:
        """The answers of one plugin alone."""
        others = [other.instance for other in self._plugins.values() if other is not plugin]
        caller = self._manager.subset_hook_caller(name, others)
        with blaming(plugin, name):
            answers: list[Any] = caller(**arguments)
        return answers

    def collect(self, name: str, **arguments: Any) -> list[tuple[Plugin, list[Any]]]:
        """The items that each plugin returned, for hooks that return an iterable, in the order of the calls."""
        found = []
        for plugin in self.implementers(name):
            answers = self.ask(plugin, name, **arguments)
            with blaming(plugin, name):
                # An answer may be a generator, and then raises here.
                found.append((plugin, [item for answer in answers for item in answer]))
        return found

    def _culprit(self, caller: pluggy.HookCaller, error: BaseException) -> Plugin | None:
        """The plugin whose implementation stands in the traceback."""
        names = {getattr(found.function, "__code__", None): found.plugin_name for found in caller.get_hookimpls()}
        raised_in = next((names[code] for code in reversed(_codes(error.__traceback__)) if code in names), None)
        return None if raised_in is None else self._plugins.get(raised_in)


@contextmanager
def blaming(culprit: Plugin | Callable[[Exception], Plugin | None], hook: str) -> Iterator[None]:
    """Let what is raised in a hook name the plugin, which `culprit` is or finds."""
    try:
        yield
    except CeleryError as error:
        plugin = culprit(error) if callable(culprit) else culprit
        if plugin is not None and plugin.distribution != KERNEL:
            error.add_note(f"raised by {plugin.owner} in the hook {hook}")
        raise
    except Exception as error:
        plugin = culprit(error) if callable(culprit) else culprit
        owner, remedy = ("a plugin", "") if plugin is None else (plugin.owner, f". {plugin.remedy}")
        raise PluginError(f"{owner} failed in the hook {hook}: {type(error).__name__}: {error}{remedy}") from error


def _codes(traceback: TracebackType | None) -> list[CodeType]:
    found = []
    while traceback is not None:
        found.append(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    return found
