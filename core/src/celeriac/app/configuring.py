"""The part of an app that is configured: settings, plugins, loader, fixups, time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from celeriac.app.loader import LoaderHooks
from celeriac.app.names import symbol
from celeriac.app.periodic import Entry, add_entries
from celeriac.app.sources import Lazy, configuration
from celeriac.exceptions import ImproperlyConfigured
from celeriac.protocol import wall

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from celeriac.app.base import Celery
    from celeriac.app.configuration import Settings
    from celeriac.contracts.fixup import Fixup
    from celeriac.contracts.loader import Loader
    from celeriac.plugin.manager import PluginManager
    from celeriac.plugin.settings import Schema
    from celeriac.signals import Signal


class ConfiguredApp:
    """What a `Celery` knows of its configuration."""

    #: Fixups of this class of apps, besides those of plugins: dotted names, or functions of the app.
    builtin_fixups: frozenset[Any] = frozenset()
    conf: Settings
    #: What the configuration is read from: an object, a map, a dotted name.
    config_source: Any = None
    #: The constructor's `fixups`; None: those of the class and of plugins.
    fixups_given: Iterable[Any] | None = None
    namespace: str | None
    configured: bool
    on_configure: Signal
    on_after_configure: Signal
    #: The loader: its name, its class or itself.
    loader_cls: Any = None
    _lock: threading.RLock
    _plugins: PluginManager | None
    #: Periodic tasks that were added before the configuration was read.
    _periodic: dict[str, Entry]

    @property
    def _whole(self) -> Celery:
        """This app as what it is: every app is a `Celery`."""
        return cast("Celery", self)

    def config_from_object(
        self, obj: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take the configuration from an object, a map, or the dotted name of either; read when it is needed.

        With `namespace` only names that begin with it count (``CELERY_BROKER_URL`` with ``"CELERY"``).  `force` reads
        it now.  Raises `ImproperlyConfigured` if it cannot be imported, unless `silent`.
        """
        self.config_source = obj
        source = configuration(obj, namespace or self.namespace, silent)
        prepared = Lazy(lambda: self.prepare_config(source()))
        self.conf.set_source(prepared)
        if force:
            prepared()

    def config_from_envvar(self, variable_name: str, silent: bool = False, force: bool = False) -> bool:
        """The same, with the name taken from an environment variable.  Raises `ImproperlyConfigured` if it is unset."""
        name = os.environ.get(variable_name)
        if name:
            self.config_from_object(name, silent=silent, force=force)
            return True
        if silent:
            return False
        raise ImproperlyConfigured(f"the environment variable {variable_name} does not name a configuration module")

    def config_from_cmdline(self, argv: Iterable[str], namespace: str = "celery") -> None:
        """Set what a command line says: ``worker.prefetch_multiplier=1``, ``broker_pool_limit=(int)4``.

        A name that is no setting is also looked for behind `namespace`.  Raises `ImproperlyConfigured` for what is no
        ``name=value``, and for a name that is no setting.
        """
        self.conf.update(self.loader.cmdline_config_parser(argv, namespace))

    def settings_of_cmdline(self, argv: Iterable[str], namespace: str = "celery") -> dict[str, Any]:
        """What `config_from_cmdline` sets.  Errors as that."""
        from celeriac.app.assignments import assigned

        found: dict[str, Any] = {}
        for name, value in assigned(argv).items():
            known = next((each for each in (name, f"{namespace}_{name}") if each in self.conf), None)
            if known is None:
                raise ImproperlyConfigured(self.conf.explain_missing(name))
            found[known] = value
        return found

    def prepare_config(self, c: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings of the configuration object, before they are used; for subclasses."""
        return c

    def either(self, default_key: str, *defaults: Any) -> Any:
        """The first of `defaults` that is not None, else the setting `default_key`."""
        return next((value for value in defaults if value is not None), self.conf.get(default_key))

    def bugreport(self) -> str:
        """What a bug report should say of this installation; passwords are masked."""
        from celeriac.app.reporting import bugreport

        return bugreport(self._whole)

    def add_defaults(self, fun: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> Any:
        """Add settings that hold where nobody says otherwise: a map, or a function that makes one when needed."""
        self.conf.add_defaults(fun)
        return fun

    def _plugin_settings(self) -> Schema:
        return self.plugins.schema()

    def _prepare_configuration(self) -> None:
        """Before the configuration is read, and outside of its lock: have the plugins, which have a lock too."""
        self.install_fixups()

    def _on_configuration_read(self, conf: Settings) -> None:
        """The moment before the first setting is read: loader and plugins have their say."""
        self.configured = True
        self.on_configure.send(sender=self)
        conf.add_defaults(self.loader.read_configuration)
        self.plugins.load(conf.plugins)
        self.plugins.hook.tell("celeriac_configured", app=self)
        add_entries(conf, self._periodic)
        self._periodic.clear()
        self.on_after_configure.send(sender=self, source=conf)

    @property
    def plugins(self) -> PluginManager:
        """The plugins of this app."""
        found = self._plugins
        if found is None:
            from celeriac.plugin.manager import PluginManager

            with self._lock:  # two would each be told of the app, and one of them forgotten
                found = self._plugins = self._plugins or PluginManager(self)
        return found

    @cached_property
    def loader(self) -> Loader:
        """Where configuration and task modules come from."""
        from celeriac.contracts.loader import Loader

        found = self.loader_cls
        if isinstance(found, Loader):
            return found
        made: Loader = self.plugins.driver("loader", found)(self)
        return made

    @cached_property
    def fixups(self) -> list[Fixup]:
        """The integrations of frameworks that are in use here: those given to the constructor, else all there are."""
        given = self.fixups_given
        made = [symbol(each)(self) for each in (self.builtin_fixups if given is None else given)]
        found = [fixup for fixup in made if fixup is not None]
        found += [] if given is not None else self.plugins.fixups()
        hooks = LoaderHooks.of(self, self.loader)
        return [*found, hooks] if hooks is not None else found

    @cached_property
    def annotations(self) -> list[Any]:
        """What sets attributes of tasks; see the setting ``task_annotations``."""
        from celeriac.app.annotations import prepare

        return prepare(self.conf.task_annotations)

    def install_fixups(self) -> None:
        """Let each fixup prepare its framework; once."""
        if not self.__dict__.get("_fixups_installed"):
            self.__dict__["_fixups_installed"] = True
            for fixup in self.fixups:
                fixup.install()

    def uses_utc_timezone(self) -> bool:
        """Whether the app's time zone is UTC."""
        from datetime import UTC

        return self.timezone is UTC

    @cached_property
    def timezone(self) -> tzinfo:
        """The time zone of naive dates.  Raises `ImproperlyConfigured` for a name that nobody knows."""
        import zoneinfo
        from datetime import UTC

        name = self.conf.timezone
        if not name or name.upper() == "UTC":
            return UTC
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ImproperlyConfigured(
                f"the setting timezone names no time zone that is known here: {name!r}"
            ) from error

    def now(self) -> datetime:
        """The time in the app's time zone."""
        return wall.now().astimezone(self.timezone)
