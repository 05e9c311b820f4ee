"""``app.conf``: where each setting's value comes from, and how it is read."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.showing import ShownSettings
from celeriac.app.sources import Lazy
from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from celeriac.plugin.settings import Schema, Setting

#: A layer is a map of settings, or a function that makes one when it is first needed.
Layer = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


#: Settings that a variable of the environment overrules, as in Celery.
_ENVIRONMENT: Final = {
    "broker_url": "CELERY_BROKER_URL",
    "broker_read_url": "CELERY_BROKER_READ_URL",
    "broker_write_url": "CELERY_BROKER_WRITE_URL",
    "result_backend": "CELERY_RESULT_BACKEND",
}


#: How settings begin: nobody gives such names to settings of his own.
_FAMILIES: Final = ("beat_", "broker_", "control_queue_", "event_queue_", "result_", "task_", "worker_")
#: How alike, of 1, two names are of which one is a misspelling of the other.
_SURELY_MEANT: Final = 0.85


class Settings(ShownSettings):
    """The configuration of one app, read by attribute or by key.

    Strongest first: what was set on ``app.conf`` itself, the configuration object, what ``add_defaults`` gave, the
    loader's, and the default of the setting.  A value is checked and converted when it is first read.
    """

    _OWN = frozenset(
        {
            "_changes",
            "_complete",
            "_defaults",
            "_extend",
            "_known",
            "_loaded",
            "_loading",
            "_lock",
            "_on_load",
            "_prepare",
            "_source",
            "_values",
        }
    )

    def __init__(
        self, extend: Callable[[], Schema], on_load: Callable[[Settings], None], prepare: Callable[[], Any]
    ) -> None:
        """`extend` gives the plugins' settings; `on_load` is called once, before the first read.

        `prepare` is called before `on_load` and outside of its lock: for what takes locks of its own.
        """
        self._known: Schema | None = None
        self._complete = False
        self._changes: dict[str, Any] = {}
        self._source: Lazy | None = None
        self._defaults: list[Layer] = []
        self._values: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._extend = extend
        self._prepare = prepare
        self._on_load = on_load
        self._loading = self._loaded = False

    # -- layers -------------------------------------------------------------------------------------------------------

    def update(self, *maps: Any, **settings: Any) -> None:
        """Set several, as ``dict.update`` does."""
        changes: dict[str, Any] = {}
        for one in maps:
            changes.update(one)
        changes.update(settings)
        with self._lock:
            self._changes.update(changes)
            if self._values:
                # What was read of the others stays: a map among them may have been changed in place.
                current = self._schema().current_name
                changed = {current(name) for name in changes}
                read = self._values.copy()  # readers add to the map without the lock
                self._values = {name: value for name, value in read.items() if current(name) not in changed}

    def set_source(self, source: Lazy) -> None:
        """Use the configuration object that `source` reads when it is needed."""
        with self._lock:
            self._source = source
            self._values = {}

    def reread(self) -> None:
        """Read the configuration object anew at the next use: it says something else by now.

        What was set on the app itself stays, and so does what was made of the settings before.
        """
        with self._lock:
            if self._source is not None:
                self._source.forget()
            self._values = {}

    def add_defaults(self, layer: Layer) -> None:
        """Add values that hold where nobody says otherwise; a later layer is weaker."""
        with self._lock:
            self._defaults.append(Lazy(layer) if callable(layer) else layer)
            self._values = {}

    def setdefault(self, name: str, value: Any) -> Any:
        """Set unless somebody has set it."""
        if not self.is_set(name):
            self.update({name: value})
        return self[name]

    def is_set(self, name: str) -> bool:
        """True where a value does not come from the setting's own default."""
        self.load()
        return self._find(name)[0]

    def forget_lock(self) -> None:
        """In a forked child: a thread of the parent may have held the lock, and is not here to give it back."""
        self._lock = threading.RLock()

    def names_set(self) -> list[str]:
        """The names that somebody has set, as far as they are settings."""
        return [setting.name for setting in self._all() if self.is_set(setting.name)]

    # -- reading ------------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Let those who wait for the configuration act on it; once.

        Other threads wait until that is done.  What is raised there is raised again at the next read, because an app
        that is half configured must not run.
        """
        if self._loaded:
            return
        self._prepare()
        with self._lock:
            if self._loaded or self._loading:  # type: ignore[redundant-expr]  # by another thread, or by who acts on it
                return
            self._loading = True
            try:
                self._on_load(self)
                self._loaded = True
            finally:
                self._loading = False

    @property
    def changes(self) -> dict[str, Any]:
        """What was set on the app itself, as it was given."""
        return dict(self._changes)

    def first(self, *keys: str) -> Any:
        """The first of these settings that is not None."""
        return next((value for key in keys if (value := self.get(key)) is not None), None)

    def get_by_parts(self, *parts: str) -> Any:
        """The setting whose name the parts make: ``get_by_parts("task", "always_eager")``."""
        return self["_".join(part for part in parts if part)]

    def find_value_for_key(self, name: str, namespace: str = "celery") -> Any:
        """The setting `name` of a family, as in ``find_value_for_key("always_eager", "task")``; else of that name."""
        whole = f"{namespace}_{name}"
        return self[whole if whole in self else name]

    def value_set_for(self, key: str) -> bool:
        """As `is_set`."""
        return self.is_set(key)

    @property
    def loaded(self) -> bool:
        """True once something was read."""
        return self._loaded

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            self.load()
        # Whoever changes a setting puts a new map here, so what was found before the change is not kept after it.
        values = self._values
        setting = self._setting(name)
        found, value = self._find(name)
        if setting is not None:
            value = setting.convert(value if found else setting.default)
        elif not found:
            raise KeyError(self.explain_missing(name))
        return values.setdefault(name, value)

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
        plugins = self._extend()  # asked outside of the lock: plugins have one of their own, and may read settings
        with self._lock:
            if not self._complete:
                schema = type(kernel := self._schema())()
                schema.extend(kernel)
                schema.extend(plugins)
                self._known, self._complete = schema, True

    def _find(self, name: str) -> tuple[bool, Any]:
        setting = self._schema().get(name)
        names = (name,) if setting is None else (setting.name, *setting.old_names)
        if name in _ENVIRONMENT and os.environ.get(_ENVIRONMENT[name]):
            return True, os.environ[_ENVIRONMENT[name]]
        for layer in self._layers():
            found = [one for one in names if one in layer]
            if found:
                _refuse_contradiction(found, layer)
                return True, layer[found[0]]
        return False, None

    def _layers(self) -> Iterator[Mapping[str, Any]]:
        yield self._changes
        if self._source is not None:
            yield self._source()
        for layer in self._defaults:
            yield layer() if callable(layer) else layer

    def unknown(self) -> list[str]:
        """What to tell of names that somebody has set, and that are no settings but look as if they were meant so.

        Names of the user's own are left alone, and so is what a module that is a configuration imports.
        """
        names = {name for layer in self._layers() for name, value in layer.items() if not _is_code(value)}
        strangers = sorted(name for name in names if name not in self._all())
        return [self.explain_missing(name) for name in strangers if name.startswith(_FAMILIES) or self._is_near(name)]

    def _is_near(self, name: str) -> bool:
        from difflib import SequenceMatcher  # a heavy module, for names that are no settings

        near = self._all().nearest(name)
        return bool(near) and SequenceMatcher(None, name.lower(), near[0].lower()).ratio() > _SURELY_MEANT

    def explain_missing(self, name: str) -> str:
        """What to tell somebody who asked for a setting that is not there."""
        near = self._all().nearest(name)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"there is no setting '{name}'{hint}"


def _refuse_contradiction(names: list[str], layer: Mapping[str, Any]) -> None:
    """Raises `ImproperlyConfigured` where one place gives a setting two values, by its name and by an old one."""
    if len(names) > 1 and any(layer[name] != layer[names[0]] for name in names[1:]):
        raise ImproperlyConfigured(
            f"{' and '.join(names)} are two names of one setting, and are given different values: keep {names[0]}"
        )


def _is_code(value: Any) -> bool:
    return callable(value) or isinstance(value, ModuleType)
