"""How a file is used: the settings ``sqlite_*``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from celeriac.exceptions import ImproperlyConfigured

#: Leases shorter than that would run out whenever the machine is busy.
_SHORTEST_LEASE = 1.0


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How a file is used; times in seconds."""

    #: How long to wait for a turn to write.
    busy_timeout: float = 30.0
    #: What committed data survives: the end of any process, or also a power cut.
    durability: Literal["process", "power"] = "process"
    #: How long a claim lasts without renewal.
    lease: float = 30.0

    def __post_init__(self) -> None:
        if self.durability not in {"process", "power"}:
            raise ImproperlyConfigured(f"sqlite_durability is {self.durability!r}; it can be 'process' or 'power'")
        if self.lease < _SHORTEST_LEASE:
            raise ImproperlyConfigured(f"sqlite_lease is {self.lease:g} s; it must be at least {_SHORTEST_LEASE:g} s")


def options_of(app: Any, given: dict[str, Any] | None = None) -> FileOptions:
    """The options of an app's settings; what `given` has under the same names without ``sqlite_`` goes first.

    `app` is None for a plain Kombu connection.  Raises ImproperlyConfigured.
    """
    found: dict[str, Any] = {}
    for field in fields(FileOptions):
        value = (given or {}).get(field.name)
        if value is None and app is not None:  # a setting is missing where this plugin's hooks are disabled
            value = getattr(app.conf, f"sqlite_{field.name}", None)
        if value is not None:
            found[field.name] = value
    return FileOptions(**found)
