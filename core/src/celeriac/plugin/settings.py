"""The settings that a plugin adds to the configuration, and the table in which they meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

from celeriac.exceptions import ImproperlyConfigured, PluginConflict
from celeriac.plugin import values
from celeriac.plugin.spelling import nearest


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: becomes ``app.conf.<name>``.

    `type` is one of str, int, float, bool, list, tuple, dict, ``"seconds"``, ``"strings"`` or ``"any"``.  None is a
    value where `default` is None or `optional` is true.  `doc` is one sentence for the reference page.  `old_names`
    are earlier names that still set it; `minimum` bounds numbers; a `secret` is never shown.
    """

    name: str
    type: values.ValueType
    default: Any
    doc: str
    _: KW_ONLY
    old_names: tuple[str, ...] = ()
    choices: tuple[Any, ...] | None = None
    secret: bool = False
    optional: bool = False
    minimum: float | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ImproperlyConfigured(f"{self.name!r} cannot name a setting: it is no identifier")
        if not values.is_supported(self.type):
            raise ImproperlyConfigured(
                f"the setting {self.name} has the type {self.type!r}; it can be str, int, float, bool, list, tuple, "
                "dict, 'seconds', 'strings' or 'any'"
            )

    def convert(self, value: Any) -> Any:
        """`value` as this setting's type.

        Raises `ImproperlyConfigured` naming the setting, the value (unless it is secret) and what was expected.
        """
        if value is None and (self.optional or self.default is None):
            return None
        try:
            converted = values.convert(self.type, value)
        except (TypeError, ValueError):
            raise self._refusal(value, values.expected(self.type)) from None
        if self.choices is not None and converted not in self.choices:
            raise self._refusal(value, "one of " + ", ".join(repr(choice) for choice in self.choices))
        if self.minimum is not None and converted < self.minimum:
            raise self._refusal(value, f"{values.expected(self.type)}, at least {self.minimum:g}")
        return converted

    def _refusal(self, value: Any, wanted: str) -> ImproperlyConfigured:
        shown = "a value that is not shown" if self.secret else repr(value)
        return ImproperlyConfigured(f"the setting {self.name} must be {wanted}, not {shown}")


class Schema:
    """Settings by name, in the order in which they were added, each with its owner."""

    def __init__(self, settings: Iterable[Setting] = (), owner: str = "celeriac") -> None:
        self._settings: dict[str, Setting] = {}
        self._owners: dict[str, str] = {}
        self._new_names: dict[str, str] = {}
        for setting in settings:
            self.add(setting, owner)

    def add(self, setting: Setting, owner: str) -> None:
        """Add a setting of the distribution or object `owner`.

        Raises `PluginConflict` naming both owners if one of its names is taken.
        """
        for name in (setting.name, *setting.old_names):
            if (holder := self._owners.get(self.current_name(name))) is not None:
                raise PluginConflict(
                    f"the setting {name} is defined by {holder} and by {owner}; "
                    "uninstall one of them, or disable it with CELERIAC_PLUGINS_DISABLE"
                )
        self._settings[setting.name] = setting
        self._owners[setting.name] = owner
        for name in setting.old_names:
            self._new_names[name] = setting.name

    def extend(self, other: Schema) -> None:
        """Add all settings of `other` with their owners.  Raises `PluginConflict`."""
        for setting in other:
            self.add(setting, other.owner(setting.name))

    def current_name(self, name: str) -> str:
        """The name that `name` has today: itself, unless it is an old one."""
        return self._new_names.get(name, name)

    def get(self, name: str) -> Setting | None:
        """The setting of that name, old names included."""
        return self._settings.get(self.current_name(name))

    def owner(self, name: str) -> str:
        """Whose the setting is.  Raises `KeyError`."""
        return self._owners[self.current_name(name)]

    def nearest(self, name: str) -> list[str]:
        """Names that somebody who wrote `name` may have meant, best first."""
        return nearest(name, (*self._settings, *self._new_names))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.current_name(name) in self._settings

    def __getitem__(self, name: str) -> Setting:
        return self._settings[self.current_name(name)]

    def __iter__(self) -> Iterator[Setting]:
        return iter(self._settings.values())

    def __len__(self) -> int:
        return len(self._settings)
