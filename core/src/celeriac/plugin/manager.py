"""The plugins of one app: found, loaded in a fixed order, asked, and reported on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from celeriac.exceptions import PluginConflict, PluginLoadError
from celeriac.plugin import targets
from celeriac.plugin.calls import Hooks, blaming
from celeriac.plugin.discovery import Discovery
from celeriac.plugin.index import KERNEL, PLUGINS_GROUP, Index, shared_index
from celeriac.plugin.kernel import KernelPlugin
from celeriac.plugin.markers import PROJECT
from celeriac.plugin.options import TaskOption, join_options
from celeriac.plugin.registration import Plugin, check_hooks
from celeriac.plugin.resolution import HOOK_ARGUMENTS, Resolver
from celeriac.plugin.selection import Selection
from celeriac.plugin.settings import Schema
from celeriac.plugin.specs import PHASES
from celeriac.plugin.spelling import did_you_mean

if TYPE_CHECKING:
    from celeriac.contracts import CommandGuard, ControlCommand, Fixup, HealthCheck, Middleware, Outcome, Service
    from celeriac.plugin.state import PluginState


class PluginManager:
    """One per app.  Nothing is scanned or imported before the first question; all methods are thread-safe.

    `allow` restricts it to some distributions besides the kernel (for tests; None: what the environment says);
    `index` takes the place of the installed distributions.
    """

    def __init__(self, app: Any = None, *, allow: Collection[str] | None = None, index: Index | None = None) -> None:
        self._app = app
        self._index = index
        self._selection = Selection.from_environment(allow)
        self._resolver = Resolver(lambda: self.index, self._selection, self._ask_for_driver)
        self._lock = threading.RLock()
        self._loaded = False
        self._reset()

    def _reset(self) -> None:
        self._loading = False
        self._plugins: dict[str, Plugin] = {}
        self._pluggy = pluggy.PluginManager(PROJECT)
        for phase in PHASES:
            self._pluggy.add_hookspecs(phase)
        self._hooks = Hooks(self._pluggy, self._plugins)

    # --- loading ------------------------------------------------------------------------------------------------------

    @property
    def index(self) -> Index:
        """Who offers what; scans the installed distributions if this process has not yet."""
        if self._index is None:
            self._index = shared_index()
        return self._index

    @property
    def hook(self) -> Hooks:
        """All hooks, each as an attribute to call with keyword arguments."""
        self.ensure_loaded()
        return self._hooks

    def ensure_loaded(self) -> None:
        """Load the kernel's own plugin and all that are found automatically, then tell them of the app.

        A plugin that fails is reported once per process as a `PluginWarning` and listed by `states`; with
        ``CELERIAC_PLUGINS_STRICT`` its failure is raised.
        """
        if not self._loaded:
            self._load_once()

    def _load_once(self) -> None:
        with self._lock:
            if self._loaded or self._loading:  # loading: a plugin asks while it is told of the app
                return
            self._loading = True
            try:
                self._load()
            except BaseException:
                self._reset()
                raise
            self._loaded = True
        self._discovery.announce_failures()

    def _load(self) -> None:
        kernel = self.index.provider(KERNEL)
        version = "" if kernel is None else kernel.version
        self._add(Plugin(KERNEL, KernelPlugin(self._resolver.entry_point, version), KERNEL, version))
        self._discovery = Discovery(self.index, self._selection)
        self._discovery.load(self._add)
        self._pluggy.check_pending()
        self._hooks.tell("celeriac_app_created", app=self._app)

    def load(self, plugins: Iterable[Any]) -> None:
        """Load what the setting ``plugins`` names; what is loaded already stays as it is.

        A name is that of an entry point or distribution, ``"package.module"`` or ``"package.module:object"``;
        anything else is a plugin itself.  Raises `PluginLoadError`, chained, for whatever cannot be loaded.
        """
        self.ensure_loaded()
        for named in reversed(list(plugins)):
            if not isinstance(named, str):
                self.register(named)
            elif not self._discovery.require(named) and named not in self._plugins:
                self.register(self._load_object(named), named)

    def _load_object(self, name: str) -> Any:
        try:
            return targets.load_module_or_object(name)
        except Exception as error:
            known = [offer.name for offer in self.index.offers(PLUGINS_GROUP)]
            raise PluginLoadError(
                f"the setting plugins names {name!r}, which cannot be loaded: {type(error).__name__}: {error}."
                f"{did_you_mean(name, known)} It can name an installed plugin, 'package.module' or "
                "'package.module:object'"
            ) from error

    def register(self, plugin: Any, name: str | None = None) -> str:
        """Register a module, an object or a class (of which one is made) with hook implementations; gives its name.

        It is asked before those that were found.  Registering it again changes nothing.  Raises `PluginError` if it
        implements a hook that does not exist, and `PluginConflict` if another plugin has its name.
        """
        self.ensure_loaded()
        with self._lock:
            known = next((known for known in self._plugins.values() if known.is_made_of(plugin)), None)
            if known is not None:
                return known.key
            instance = plugin() if isinstance(plugin, type) else plugin
            key = name or getattr(instance, "__name__", None) or f"{type(instance).__qualname__}@{id(instance):x}"
            if key in self._plugins:
                raise PluginConflict(f"another plugin is registered as {key!r}; register this one under another name")
            self._add(Plugin(key, instance))
        self._resolver.forget()
        return key

    def unregister(self, plugin: Any) -> None:
        """Forget a plugin, given as what was registered or by its name.  Raises `KeyError` if it is not there."""
        with self._lock:
            found = next((known for known in self._plugins.values() if known.is_made_of(plugin)), None)
            known = found or self._plugins[plugin]
            self._pluggy.unregister(known.instance)
            del self._plugins[known.key]
        self._resolver.forget()

    def _add(self, plugin: Plugin) -> None:
        check_hooks(plugin)
        self._plugins[plugin.key] = plugin  # first, because pluggy may call it at once
        try:
            with blaming(plugin, "celeriac_app_created, celeriac_configured or celeriac_finalized"):
                self._pluggy.register(plugin.instance, plugin.key)
        except BaseException:
            del self._plugins[plugin.key]
            if self._pluggy.has_plugin(plugin.key):
                self._pluggy.unregister(plugin.instance)
            raise

    # --- drivers ------------------------------------------------------------------------------------------------------

    def register_driver(self, kind: str, name: str, driver: Any) -> None:
        """Let `driver` answer to a name in this app; it wins over hooks and installed distributions.

        `kind` is one of broker, backend, serializer, pool, scheduler, loader, command.  Raises `PluginConflict` if
        another one was registered under the name.
        """
        self._resolver.register(kind, name, driver)

    def driver(self, kind: str, name: Any) -> Any:
        """The class (for commands: the object) that answers to a name; a class given is the answer itself.

        Asked in this order: ``"package.module:Class"``, what was registered in this process, hooks, entry points,
        ``"package.module.Class"``.  Raises `PluginNotFound`, `PluginConflict` or `PluginLoadError`.
        """
        return self._resolver.resolve(kind, name)

    def driver_names(self, kind: str) -> list[str]:
        """The names that can be resolved without a hook, sorted; nothing is imported."""
        return self._resolver.names(kind)

    def _ask_for_driver(self, kind: str, name: str) -> Any:
        call = getattr(self.hook, f"{PROJECT}_{kind}")
        return call(app=self._app, **{HOOK_ARGUMENTS[kind]: name})

    # --- questions to all ---------------------------------------------------------------------------------------------

    def schema(self) -> Schema:
        """The settings of all plugins.  Raises `PluginConflict` if two define the same."""
        schema = Schema()
        for plugin, settings in self._collect("celeriac_settings"):
            for setting in settings:
                schema.add(setting, plugin.owner)
        return schema

    def task_options(self) -> Mapping[str, TaskOption]:
        """The task options of all plugins by name.  Raises `PluginConflict` if two define the same."""
        return join_options((plugin.owner, options) for plugin, options in self._collect("celeriac_task_options"))

    def middlewares(self, stage: str) -> list[Middleware]:
        """The layers of ``"publish"``, ``"consume"`` or ``"execute"``, outermost first."""
        layers: list[Middleware] = self._all(f"celeriac_{stage}_middleware", app=self._app)
        return sorted(layers, key=lambda layer: layer.priority)

    def outcome_listeners(self) -> list[Callable[[Outcome], None]]:
        """Whoever wants to know how deliveries end."""
        return self._all("celeriac_outcome_listeners", app=self._app)

    def fixups(self) -> list[Fixup]:
        """The integrations of frameworks that are in use."""
        return self._all("celeriac_fixups", app=self._app)

    def worker_steps(self) -> list[type[Any]]:
        """Bootsteps for the worker's blueprint."""
        return self._all("celeriac_worker_steps", app=self._app)

    def consumer_steps(self) -> list[type[Any]]:
        """Bootsteps for the consumer's blueprint."""
        return self._all("celeriac_consumer_steps", app=self._app)

    def worker_services(self) -> list[Service]:
        """What the worker runs in threads of its own."""
        return self._all("celeriac_worker_services", app=self._app)

    def control_commands(self) -> list[tuple[str, ControlCommand]]:
        """Commands of remote control, each with the plugin that it is from, for messages."""
        offered = self._collect("celeriac_control_commands", app=self._app)
        return [(plugin.owner, command) for plugin, commands in offered for command in commands]

    def command_guards(self) -> list[CommandGuard]:
        """What marks and judges the commands of remote control."""
        return self._all("celeriac_command_guards", app=self._app)

    def cli_options(self, command: str) -> list[Any]:
        """Click parameters for a command.  Raises `PluginConflict` if two plugins add the same option."""
        owners: dict[str, str] = {}
        parameters = []
        for plugin, offered in self._collect("celeriac_cli_options", command=command):
            for parameter in offered:
                for option in (*parameter.opts, *parameter.secondary_opts):
                    if (holder := owners.setdefault(option, plugin.owner)) != plugin.owner:
                        raise PluginConflict(
                            f"the option {option} of {command} is added by {holder} and by {plugin.owner}; "
                            "uninstall one of them, or disable it with CELERIAC_PLUGINS_DISABLE"
                        )
                parameters.append(parameter)
        return parameters

    def health_checks(self) -> list[HealthCheck]:
        """Questions about the health of this process."""
        return self._all("celeriac_health_checks", app=self._app)

    def report(self) -> dict[str, str]:
        """Facts for a bug report, the kernel's own first; a plugin that fails is a line of it."""
        lines: dict[str, str] = {}
        for plugin in self.hook.implementers("celeriac_report"):
            try:
                for answer in self._hooks.ask(plugin, "celeriac_report", app=self._app):
                    lines.update({str(name): str(value) for name, value in answer.items()})
            except Exception as error:  # noqa: BLE001  # a report of what is broken must not break
                lines[plugin.distribution or plugin.key] = f"failed: {error}"
        return lines

    def _collect(self, hook: str, **arguments: Any) -> list[tuple[Plugin, list[Any]]]:
        return self.hook.collect(hook, **arguments)

    def _all(self, hook: str, **arguments: Any) -> list[Any]:
        return [item for _, items in self._collect(hook, **arguments) for item in items]

    # --- diagnosis ----------------------------------------------------------------------------------------------------

    def states(self, *, check_drivers: bool = False) -> list[PluginState]:
        """What became of each distribution that offers something, then of what was registered in this process.

        With `check_drivers` every driver is imported, to see whether it can be.
        """
        self.ensure_loaded()
        from celeriac.plugin.diagnosis import Diagnosis  # only `celeriac plugins` asks

        diagnosis = Diagnosis(self.index, self._selection, self._discovery, self._resolver, check_drivers)
        return diagnosis.states(list(self._plugins.values()))
