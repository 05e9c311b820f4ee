"""Keyword arguments of ``@app.task`` and ``apply_async`` that a plugin owns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from celeriac.exceptions import ImproperlyConfigured, PluginConflict
from celeriac.plugin import values


@dataclass(frozen=True, slots=True)
class TaskOption:
    """One option: types are those of `celeriac.plugin.Setting`; None is a value where `default` is None."""

    name: str
    type: values.ValueType
    default: Any
    doc: str

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ImproperlyConfigured(f"{self.name!r} cannot name a task option: it is no identifier")
        if not values.is_supported(self.type):
            raise ImproperlyConfigured(f"the task option {self.name} has a type that is not supported: {self.type!r}")

    def convert(self, value: Any) -> Any:
        """`value` as this option's type.  Raises `ImproperlyConfigured` naming the option and what was expected."""
        if value is None and self.default is None:
            return None
        try:
            return values.convert(self.type, value)
        except (TypeError, ValueError):
            raise ImproperlyConfigured(
                f"the task option {self.name} must be {values.expected(self.type)}, not {value!r}"
            ) from None


def join_options(offered: Iterable[tuple[str, Iterable[TaskOption]]]) -> Mapping[str, TaskOption]:
    """One table of the options that each owner offers.  Raises `PluginConflict` naming both owners of a name."""
    table: dict[str, TaskOption] = {}
    owners: dict[str, str] = {}
    for owner, options in offered:
        for option in options:
            if option.name in table:
                raise PluginConflict(
                    f"the task option {option.name} is defined by {owners[option.name]} and by {owner}; "
                    "uninstall one of them, or disable it with CELERIAC_PLUGINS_DISABLE"
                )
            table[option.name] = option
            owners[option.name] = owner
    return table
