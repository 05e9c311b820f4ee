"""``app.conf``: where each setting's value comes from, and how it is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from celeriac.plugin.settings import Schema, Setting

#: A layer is a map of settings, or a function that makes one when it is first needed.
Layer = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


class Settings(Mapping[str, Any]):
    """The configuration of one app, read by attribute or by key.

    Strongest first: what was set on ``app.conf`` itself, the configuration object, what ``add_defaults`` gave, the
    loader's, and the default of the setting.  A value is checked and converted when it is first read.
    """

    _OWN = frozenset(
        {"_known", "_complete", "_changes", "_source", "_defaults", "_values", "_lock", "_on_load", "_extend"}
    )

    def __init__(self, extend: Callable[[], Schema], on_load: Callable[[Settings], None]) -> None:
        """`extend` gives the plugins' settings, `on_load` is called once, before the first read."""
        self._known: Schema | None = None
        self._complete = False
        self._changes: dict[str, Any] = {}
        self._source: Callable[[], Mapping[str, Any]] | None = None
        self._defaults: list[Layer] = []
        self._values: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._extend = extend
        self._on_load: Callable[[Settings], None] | None = on_load

    # -- layers -------------------------------------------------------------------------------------------------------

    def update(self, *maps: Any, **settings: Any) -> None:
        """Set several, as ``dict.update`` does."""
        with self._lock:
            for one in maps:
                self._changes.update(one)
            self._changes.update(settings)
            self._values.clear()

    def set_source(self, source: Callable[[], Mapping[str, Any]]) -> None:
        """Use the configuration object that `source` reads when it is needed."""
        with self._lock:
            self._source = source
            self._values.clear()

    def add_defaults(self, layer: Layer) -> None:
        """Add values that hold where nobody says otherwise; a later layer is weaker."""
        with self._lock:
            self._defaults.append(layer)
            self._values.clear()

    def setdefault(self, name: str, value: Any) -> Any:
        """Set unless somebody has set it."""
        if not self.is_set(name):
            self.update({name: value})
        return self[name]

    def is_set(self, name: str) -> bool:
        """True where a value does not come from the setting's own default."""
        return self._find(name)[0]

    def names_set(self) -> list[str]:
        """The names that somebody has set, as far as they are settings."""
        self.load()
        return [setting.name for setting in self._all() if self.is_set(setting.name)]

    # -- reading ------------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Let those who wait for the configuration act on it; once."""
        with self._lock:
            on_load, self._on_load = self._on_load, None
        if on_load is not None:
            on_load(self)

    @property
    def loaded(self) -> bool:
        """True once something was read."""
        return self._on_load is None

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            pass
        self.load()
        with self._lock:
            setting = self._setting(name)
            found, value = self._find(name)
            if setting is None:
                if not found:
                    raise KeyError(self._unknown(name))
            else:
                value = setting.convert(value if found else setting.default)
            self._values[name] = value
            return value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._OWN:
            object.__setattr__(self, name, value)
        else:
            self.update({name: value})

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __iter__(self) -> Iterator[str]:
        return iter([setting.name for setting in self._all()])

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (self._setting(name) is not None or self._find(name)[0])

    def __repr__(self) -> str:
        return f"<Settings: {len(self._changes)} set>"

    def shown(self, with_defaults: bool = False) -> dict[str, Any]:
        """The settings with secrets left out, for people and ``inspect conf``."""
        from celeriac.contracts.urls import MASK, mask_password

        shown: dict[str, Any] = {}
        for setting in self._all():
            if not with_defaults and not self.is_set(setting.name):
                continue
            value = self[setting.name]
            if setting.secret and value is not None:
                value = MASK
            elif isinstance(value, str):
                value = mask_password(value)
            shown[setting.name] = value
        return shown

    # -- finding ------------------------------------------------------------------------------------------------------

    def _setting(self, name: str) -> Setting | None:
        setting = self._schema().get(name)
        if setting is None and not self._complete:  # only a name that the kernel does not know asks the plugins
            self._take_plugins()
            setting = self._schema().get(name)
        return setting

    def _schema(self) -> Schema:
        """The settings that are known so far; the table is not loaded by an app that nobody asks."""
        if self._known is None:
            from celeriac.app.settings import kernel_schema

            self._known = kernel_schema()
        return self._known

    def _all(self) -> Schema:
        if not self._complete:
            self._take_plugins()
        return self._schema()

    def _take_plugins(self) -> None:
        with self._lock:
            if not self._complete:
                schema = type(kernel := self._schema())()
                schema.extend(kernel)
                schema.extend(self._extend())
                self._known, self._complete = schema, True

    def _find(self, name: str) -> tuple[bool, Any]:
        setting = self._schema().get(name)
        names = (name,) if setting is None else (setting.name, *setting.old_names)
        for layer in self._layers():
            for one in names:
                if one in layer:
                    return True, layer[one]
        return False, None

    def _layers(self) -> Iterator[Mapping[str, Any]]:
        yield self._changes
        if self._source is not None:
            yield self._source()
        for place, layer in enumerate(self._defaults):
            if callable(layer):
                layer = self._defaults[place] = layer()  # noqa: PLW2901  # asked once
            yield layer

    def _unknown(self, name: str) -> str:
        near = self._all().nearest(name)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"there is no setting '{name}'{hint}"


def read_source(source: Any, namespace: str | None, silent: bool) -> Callable[[], Mapping[str, Any]]:
    """A function that reads the configuration object `source` once: an object, a map, or a dotted name."""
    cache: list[Mapping[str, Any]] = []

    def read() -> Mapping[str, Any]:
        if not cache:
            cache.append(_read(source, namespace, silent))
        return cache[0]

    return read


def _read(source: Any, namespace: str | None, silent: bool) -> Mapping[str, Any]:
    if isinstance(source, str):
        try:
            source = _by_name(source)
        except ImportError as error:
            if silent:
                return {}
            raise ImproperlyConfigured(f"the configuration {source!r} cannot be imported: {error}") from error
    pairs = source if isinstance(source, Mapping) else {name: getattr(source, name) for name in dir(source)}
    values = {name: value for name, value in pairs.items() if not name.startswith("_")}
    if not namespace:
        return values
    prefix = namespace if namespace.endswith("_") else namespace + "_"
    return {
        name[len(prefix) :].lower(): value for name, value in values.items() if name.upper().startswith(prefix.upper())
    }


def _by_name(path: str) -> Any:
    """The module or attribute of ``module``, ``module.attribute`` or ``module:attribute``."""
    if ":" in path:
        module, _, attribute = path.partition(":")
        return getattr(import_module(module), attribute)
    try:
        return import_module(path)
    except ImportError:
        module, _, attribute = path.rpartition(".")
        if not module:
            raise
        try:
            return getattr(import_module(module), attribute)
        except AttributeError as error:
            raise ImportError(str(error)) from error
