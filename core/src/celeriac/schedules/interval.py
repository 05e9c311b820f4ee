"""Every so many seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from celeriac.schedules.base import BaseSchedule, ComputedSchedule, schedstate

#: What an interval is rounded to if it is relative, and how a moment is cut to that.
_RESOLUTIONS: Final[tuple[tuple[timedelta, dict[str, int]], ...]] = (
    (timedelta(days=1), {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}),
    (timedelta(hours=1), {"minute": 0, "second": 0, "microsecond": 0}),
    (timedelta(minutes=1), {"second": 0, "microsecond": 0}),
    (timedelta(seconds=1), {"microsecond": 0}),
)

_UNITS: Final = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


class schedule(ComputedSchedule):  # noqa: N801  # Celery's name
    """Runs every `run_every` (seconds or a timedelta), counted from the last run.

    With `relative` the runs are at whole days, hours, minutes or seconds, whichever the interval has: every day at
    midnight, every 30 minutes at a full minute.
    """

    def __init__(
        self,
        run_every: float | timedelta | None = None,
        relative: bool = False,
        nowfun: Callable[[], datetime] | None = None,
        app: Any = None,
        tz: str | tzinfo | None = None,
    ) -> None:
        super().__init__(nowfun, app, tz)
        self.run_every = _interval(run_every)
        self.relative = relative

    @property
    def seconds(self) -> float:
        """The interval in seconds."""
        return max(self.run_every.total_seconds(), 0.0)

    @property
    def human_seconds(self) -> str:
        """The interval for people: ``2.50 minutes``."""
        seconds = self.seconds
        for size, unit in _UNITS:
            if seconds >= size:
                count = seconds / size
                return f"{count:.2f} {unit}" + ("" if count == 1 else "s")
        return "now" if not seconds else f"{seconds:g} seconds"

    def next_after(self, moment: datetime) -> datetime | None:
        last = moment
        if self.relative:
            last = moment.astimezone(self.tz)
            for size, cut in _RESOLUTIONS:
                if self.run_every >= size:
                    last = last.replace(**cut)  # type: ignore[arg-type]  # hour, minute, second and microsecond only
                    break
        try:
            # Elapsed time is counted in UTC: an hour is an hour on the day that the clocks change.
            return last.astimezone(UTC) + self.run_every
        except OverflowError:  # the calendar ends before it
            return None

    def is_due(self, last_run_at: datetime) -> schedstate:
        left = self.remaining_estimate(last_run_at)
        if left is None:
            return schedstate(False, None)
        seconds = left.total_seconds()
        return schedstate(False, seconds) if seconds > 0 else schedstate(True, self.seconds)

    def to_dict(self) -> dict[str, Any]:
        return {"type": "interval", "seconds": self.seconds, "relative": self.relative, **self._zone_entry()}

    def __repr__(self) -> str:
        return f"<freq: {self.human_seconds}>"

    def __reduce__(self) -> Any:
        return type(self), (self.run_every, self.relative, self.nowfun, None, self._tz)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (timedelta, int, float)) and not isinstance(other, bool):
            return self.run_every == _interval(other)
        return super().__eq__(other)

    __hash__ = BaseSchedule.__hash__

    def _identity(self) -> Any:
        return self.run_every, self.relative, self._tz


def _interval(value: float | timedelta | None) -> timedelta:
    if value is None:
        raise ValueError("an interval needs a number of seconds or a timedelta")
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"an interval is a number of seconds or a timedelta, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"an interval has a finite number of seconds, not {value!r}")
    try:
        return timedelta(seconds=value)
    except OverflowError:
        raise ValueError(f"an interval is no longer than {timedelta.max.days} days, not {value:g} seconds") from None


def maybe_schedule(s: Any, relative: bool = False, app: Any = None) -> Any:
    """The schedule that `s` stands for: seconds, a timedelta, or a schedule, which gets the app.

    Raises TypeError for anything else.
    """
    if s is None:
        raise TypeError("a periodic task needs a schedule: seconds, a timedelta, crontab(...)")
    if isinstance(s, (int, float, timedelta)):
        return schedule(s, relative, app=app)
    if not hasattr(s, "is_due"):
        raise TypeError(f"{s!r} is no schedule: give seconds, a timedelta, crontab(...), or an object with is_due")
    if app is not None:
        s.app = app
    return s
