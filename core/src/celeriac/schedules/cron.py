"""At certain times of a clock: crontab."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from celeriac.schedules.base import ComputedSchedule, schedstate, zone_of
from celeriac.schedules.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOUR,
    MINUTE,
    MONTH_OF_YEAR,
    Cronspec,
    ParseException,
    numbers_of,
)
from celeriac.schedules.wall_clock import WallTimes, first_after

_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
#: The days of the months in a leap year.
_LENGTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class crontab(ComputedSchedule):  # noqa: N801  # Celery's name
    """Runs whenever the clock of the time zone shows a time that all five fields agree with.

    A field is a number, a text (``*``, ``*/15``, ``8-17``, ``0-30/10``, ``mon,wed``, ``jan-mar``), or several of both.
    Unlike some crons, days of the week and of the month must both agree.  On days when the clocks change, a fixed time
    runs once and a floating one when the clock shows it (see `celeriac.schedules.wall_clock`).

    Keywords: `nowfun`, `app`, `tz` as for every schedule.  Raises `ParseException`, a ValueError.
    """

    def __init__(
        self,
        minute: Cronspec = "*",
        hour: Cronspec = "*",
        day_of_week: Cronspec = "*",
        day_of_month: Cronspec = "*",
        month_of_year: Cronspec = "*",
        *,
        nowfun: Callable[[], datetime] | None = None,
        app: Any = None,
        tz: str | tzinfo | None = None,
    ) -> None:
        super().__init__(nowfun, app, tz)
        given: tuple[Any, ...] = (minute, hour, day_of_week, day_of_month, month_of_year)
        # An iterator would be spent.
        self._given = tuple(tuple(spec) if _is_several(spec) else spec for spec in given)
        minute, hour, day_of_week, day_of_month, month_of_year = self._given
        self.minute = numbers_of(MINUTE, minute)
        self.hour = numbers_of(HOUR, hour)
        self.day_of_week = numbers_of(DAY_OF_WEEK, day_of_week)
        self.day_of_month = numbers_of(DAY_OF_MONTH, day_of_month)
        self.month_of_year = numbers_of(MONTH_OF_YEAR, month_of_year)
        if min(self.day_of_month) > max(_LENGTHS[month - 1] for month in self.month_of_year):
            raise ParseException(f"this never comes: day_of_month {day_of_month} in month_of_year {month_of_year}")
        self._times = WallTimes(
            tuple(sorted(self.minute)),
            tuple(sorted(self.hour)),
            self.day_of_week,
            self.day_of_month,
            self.month_of_year,
            _is_floating(minute, self.minute, 60) or _is_floating(hour, self.hour, 24),
        )

    # Celery's names for what was given, which packages read that keep schedules somewhere.
    _orig_minute = property(lambda self: self._given[0])
    _orig_hour = property(lambda self: self._given[1])
    _orig_day_of_week = property(lambda self: self._given[2])
    _orig_day_of_month = property(lambda self: self._given[3])
    _orig_month_of_year = property(lambda self: self._given[4])

    @classmethod
    def from_string(cls, crontab: str, **kwargs: Any) -> crontab:
        """Read a line of a crontab: minute, hour, day of month, month, day of week; or ``@hourly`` and the like.

        Raises `ParseException`.
        """
        text = crontab.strip()
        fields = _NICKNAMES.get(text.lower(), text).split()
        if len(fields) != 5:
            raise ParseException(
                f"a crontab has five fields (minute, hour, day of month, month, day of week), and {crontab!r} has "
                f"{len(fields)}; or it is one of {', '.join(_NICKNAMES)}"
            )
        minute, hour, day_of_month, month_of_year, day_of_week = fields
        return cls(minute, hour, day_of_week, day_of_month, month_of_year, **kwargs)

    def next_after(self, moment: datetime) -> datetime | None:
        return first_after(self._times, moment, self.tz)

    def remaining_delta(
        self, last_run_at: datetime, tz: str | tzinfo | None = None, ffwd: Any = None
    ) -> tuple[datetime, timedelta, datetime]:
        """The last run, the time that passes between it and the next one, and now.

        The moments are in the zone `tz` (default: that of the schedule), in which the times are read; the time that
        passes is to be added in UTC.  `ffwd` is accepted and not needed.  Raises OverflowError where no run follows.
        """
        zone = zone_of(tz) or self.tz
        last = self.maybe_make_aware(last_run_at).astimezone(zone)
        following = first_after(self._times, last, zone)
        if following is None:
            raise OverflowError(f"{self!r} has no run after {last}")
        return last, following - last, self.now().astimezone(zone)

    def remaining_estimate(self, last_run_at: datetime, ffwd: Any = None) -> timedelta | None:
        return super().remaining_estimate(last_run_at)

    def is_due(self, last_run_at: datetime) -> schedstate:
        """As for every schedule; a run later than ``beat_cron_starting_deadline`` seconds is not made up for."""
        state = super().is_due(last_run_at)
        deadline = self.app.conf.beat_cron_starting_deadline
        if not state.is_due or deadline is None:
            return state
        now = self.now().astimezone(UTC)
        # A run within the deadline is there if one follows the moment that is that long ago.
        since = now - timedelta(seconds=deadline, microseconds=1)
        latest = self.next_after(max(since, self.maybe_make_aware(last_run_at).astimezone(UTC)))
        return state if latest is not None and latest <= now else schedstate(False, state.next)

    def to_dict(self) -> dict[str, Any]:
        names = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
        specs = (list(spec) if _is_several(spec) else spec for spec in self._given)
        return {"type": "crontab", **dict(zip(names, specs, strict=True)), **self._zone_entry()}

    def __repr__(self) -> str:
        minute, hour, day_of_week, day_of_month, month_of_year = map(_shown, self._given)
        return f"<crontab: {minute} {hour} {day_of_month} {month_of_year} {day_of_week} (m/h/dM/MY/d)>"

    def __reduce__(self) -> Any:
        return _restore, (type(self), self._given, self.nowfun, self._tz)

    def _identity(self) -> Any:
        return self._times, self._tz


def _restore(cls: type[crontab], given: tuple[Any, ...], nowfun: Any, tz: Any) -> crontab:
    return cls(*given, nowfun=nowfun, tz=tz)


def _is_floating(spec: Any, numbers: frozenset[int], count: int) -> bool:
    return len(numbers) == count or (isinstance(spec, str) and spec.lstrip().startswith("*"))


def _is_several(spec: Any) -> bool:
    return isinstance(spec, Iterable) and not isinstance(spec, str)


def _shown(spec: Any) -> str:
    return ",".join(map(str, spec)) if _is_several(spec) else str(spec)
