"""How long one task's result is kept: a header of ours, which workers of Celery pass over."""

from __future__ import annotations

from datetime import timedelta
from math import inf
from typing import Any, Final

__all__ = ["RESULT_EXPIRES", "kept_seconds", "seconds_to_keep"]

#: The header; its value in seconds, 0 for ever.
RESULT_EXPIRES: Final = "result_expires"


def seconds_to_keep(value: Any) -> float:
    """What a caller has asked for, as the header has it.  Raises TypeError for what is no time."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not _is_time(seconds):
        raise TypeError(f"result_expires must be seconds (0: for ever) or a timedelta, not {value!r:.100}")
    return float(seconds)


def kept_seconds(value: object) -> float | None:
    """What the header says; None, for the worker's own setting, where it is absent or makes no sense."""
    return value if isinstance(value, (int, float)) and _is_time(value) else None


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < inf
