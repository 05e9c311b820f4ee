"""The configuration as people see it: without secrets, as a table or as text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.plugin.settings import Setting


class ShownSettings(Mapping[str, Any]):
    """What can be shown of a configuration."""

    @abstractmethod
    def is_set(self, name: str) -> bool:
        """True where a value does not come from the setting's own default."""

    @abstractmethod
    def _all(self) -> Iterable[Setting]: ...

    def shown(self, with_defaults: bool = False) -> dict[str, Any]:
        """The settings with secrets left out, for people and ``inspect conf``."""
        return self.table(with_defaults)

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        """The settings that somebody has set, or all of them; with their secrets only if not `censored`."""
        from celeriac.app.masking import masked
        from celeriac.contracts.urls import MASK

        table: dict[str, Any] = {}
        for setting in self._all():
            if not with_defaults and not self.is_set(setting.name):
                continue
            value = self[setting.name]
            if censored:
                value = MASK if setting.secret and value is not None else masked(value)
            table[setting.name] = value
        return table

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        """The table as text, a setting per line."""
        return "\n".join(f"{name}: {value!r}" for name, value in self.table(with_defaults, censored).items())

    def without_defaults(self) -> dict[str, Any]:
        """What somebody has set, secrets included."""
        return self.table(censored=False)
