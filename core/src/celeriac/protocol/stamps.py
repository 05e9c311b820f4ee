"""Stamps as the options of a call have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def listed(value: Any) -> list[Any] | None:
    """What may be given as one or as several, as a list; None for nothing."""
    if not value:
        return None
    return list(value) if isinstance(value, (list, tuple)) else [value]


def stamps_in(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The stamps: those under `stamps`, or an option of its own for each of `stamped_headers`."""
    stamps: dict[str, Any] | None = options.get("stamps")
    stamped = options.get("stamped_headers")
    if stamped and not stamps:
        return {name: listed(options[name]) for name in stamped if name in options}
    return stamps
