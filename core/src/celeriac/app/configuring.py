"""The part of an app that is configured: settings, plugins, loader, fixups, time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from celeriac.app.sources import configuration
from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from celeriac.app.configuration import Settings
    from celeriac.contracts.fixup import Fixup
    from celeriac.contracts.loader import Loader
    from celeriac.plugin.manager import PluginManager
    from celeriac.plugin.settings import Schema
    from celeriac.signals import Signal


class ConfiguredApp:
    """What a `Celery` knows of its configuration."""

    conf: Settings
    namespace: str | None
    configured: bool
    on_configure: Signal
    on_after_configure: Signal
    #: The loader: its name, its class or itself.
    loader_cls: Any = None
    _lock: threading.RLock
    _plugins: PluginManager | None

    def config_from_object(
        self, obj: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Take the configuration from an object, a map, or the dotted name of either; read when it is needed.

        With `namespace` only names that begin with it count (``CELERY_BROKER_URL`` with ``"CELERY"``).  `force` reads
        it now.  Raises `ImproperlyConfigured` if it cannot be imported, unless `silent`.
        """
        source = configuration(obj, namespace or self.namespace, silent)
        self.conf.set_source(source)
        if force:
            source()

    def config_from_envvar(self, variable_name: str, silent: bool = False, force: bool = False) -> bool:
        """The same, with the name taken from an environment variable.  Raises `ImproperlyConfigured` if it is unset."""
        name = os.environ.get(variable_name)
        if name:
            self.config_from_object(name, silent=silent, force=force)
            return True
        if silent:
            return False
        raise ImproperlyConfigured(f"the environment variable {variable_name} does not name a configuration module")

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
        """The integrations of frameworks that are in use here."""
        return list(self.plugins.fixups())

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
        from datetime import UTC, datetime

        return datetime.now(UTC).astimezone(self.timezone)
