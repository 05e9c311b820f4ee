"""The deadline of the code that runs now: a moment on the wall clock, which all processes of a tree share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from celeriac.exceptions import TimeoutError

#: Seconds since the epoch, None where there is no deadline or where it was lifted; unset outside of any scope.
_wall_deadline: Final[ContextVar[float | None]] = ContextVar("celeriac_deadline")


class DeadlineExceeded(TimeoutError):
    """The deadline of the task, or of the one that called it, has passed."""


def remaining() -> float | None:
    """Seconds until the deadline, 0.0 when it has passed, None where there is none."""
    wall_deadline = _wall_deadline.get(None)
    return None if wall_deadline is None else max(0.0, wall_deadline - time.time())


def check() -> None:
    """Raise `DeadlineExceeded` if the deadline has passed.  For loops that want to stop in time."""
    if remaining() == 0.0:
        raise DeadlineExceeded


@contextmanager
def budget(seconds: float | None) -> Iterator[None]:
    """Give all calls that are made inside together at most `seconds` from now, and never more than there is outside.

    None lifts the deadline: what is called inside has its own only.
    """
    with until(None if seconds is None else earlier(_wall_deadline.get(None), time.time() + seconds)):
        yield


@contextmanager
def until(wall_deadline: float | None) -> Iterator[None]:
    """Make this the deadline inside, whatever it is outside."""
    token = _wall_deadline.set(wall_deadline)
    try:
        yield
    finally:
        _wall_deadline.reset(token)


def current(unset: float | None) -> float | None:
    """The deadline in seconds since the epoch, None where there is none; `unset` outside of any scope."""
    return _wall_deadline.get(unset)


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two deadlines, either of which may be None."""
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)
