"""Time limits of jobs: those of the message beat those of the pool."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Limits(NamedTuple):
    """Seconds from the start of a task; infinity is none."""

    soft: float = math.inf
    hard: float = math.inf

    @property
    def first(self) -> float:
        """Seconds until the first of the two can be reached."""
        return min(self)


NO_LIMITS = Limits()


def seconds(value: Any, default: float) -> float:
    """A limit as found in a header or an option; anything but a positive number is none of its own."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    return default


def task_of(headers: dict[str, Any]) -> str:
    """The task of a job, as the log names it: ``name[id]``."""
    return f"{headers.get('task')}[{headers.get('id')}]"


def limits_of(headers: dict[str, Any], default: Limits) -> Limits:
    """The limits of a job: those of its message (``timelimit``: hard, soft), then those of the pool."""
    stated = headers.get("timelimit")
    if not isinstance(stated, list | tuple) or len(stated) != 2:
        return default
    hard, soft = stated
    if hard is None and soft is None:
        return default
    return Limits(seconds(soft, default.soft), seconds(hard, default.hard))
