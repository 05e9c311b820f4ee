"""What became of each distribution that offers something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """The states of a plugin."""

    READY = "ready"
    MISSING_DEPENDENCY = "missing dependency"
    FAILED = "failed"
    CONFLICT = "conflict"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class PluginState:
    """One distribution, or one object registered in this process (then `version` and `location` are empty).

    `reason` says why it is not ready, and is empty if it is.  `hooks` are the names of the hooks it implements,
    `drivers` the names it offers by kind.
    """

    distribution: str
    version: str
    state: State
    reason: str = ""
    hooks: tuple[str, ...] = ()
    drivers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    location: str = ""
