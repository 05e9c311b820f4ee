"""Moments, intervals and rates (``celery.utils.time``, ``celery.utils.iso8601``)."""

from __future__ import annotations

import calendar
import random
import time as system
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from celeriac.protocol import wall
from celeriac.protocol.timestamps import parse_iso

_RATES = {"s": 1.0, "m": 60.0, "h": 3600.0}
_UNITS = (("day", 86400.0, "{:.2f}"), ("hour", 3600.0, "{:.2f}"), ("minute", 60.0, "{:.2f}"), ("second", 1.0, "{:.2f}"))


class _Zone:
    """Time zones by name."""

    utc = UTC

    def tz_or_local(self, tz: Any = None) -> tzinfo:
        """The zone, or that of this machine."""
        return self.local if tz is None else self.get_timezone(tz)

    def get_timezone(self, zone: Any) -> tzinfo:
        """The zone of that name; a zone is itself."""
        if not isinstance(zone, str):
            found: tzinfo = zone
            return found
        return UTC if zone.upper() == "UTC" else ZoneInfo(zone)

    def to_local(self, dt: datetime, local: Any = None, orig: Any = None) -> datetime:
        """The moment on the clock of `local`; a naive one is in `orig`, or in UTC."""
        return make_aware(dt, orig or UTC).astimezone(self.tz_or_local(local))

    def to_system(self, dt: datetime) -> datetime:
        """The moment on the clock of this machine."""
        return localize(dt, self.local)

    def to_local_fallback(self, dt: datetime) -> datetime:
        """A moment without a zone on the clock of this machine."""
        return make_aware(dt, self.local)

    @property
    def local(self) -> tzinfo:
        """The zone of this machine."""
        zone = datetime.now(UTC).astimezone().tzinfo
        assert zone is not None
        return zone


timezone = _Zone()


class LocalTimezone(tzinfo):
    """The zone of this machine, as its clock has it at each moment."""

    def _there(self, dt: datetime | None) -> datetime:
        return (dt or datetime.now()).replace(tzinfo=None).astimezone()  # that of this machine is wanted

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return self._there(dt).utcoffset()

    def dst(self, dt: datetime | None) -> timedelta:
        there = system.localtime(self._there(dt).timestamp())
        return timedelta(seconds=there.tm_gmtoff + system.timezone) if there.tm_isdst > 0 else timedelta(0)

    def tzname(self, dt: datetime | None) -> str | None:
        return self._there(dt).tzname()

    def __repr__(self) -> str:
        return f"<LocalTimezone: {self.tzname(None)}>"


class ffwd:  # noqa: N801  # Celery's name
    """What to add to a moment: parts to set, then weeks and days to go on."""

    def __init__(
        self,
        year: int | None = None,
        month: int | None = None,
        weeks: float = 0,
        weekday: int | None = None,
        day: int | None = None,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        microsecond: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.days = weeks * 7
        self.weekday = weekday
        self.day = day
        parts = {
            "year": year,
            "month": month,
            "hour": hour,
            "minute": minute,
            "second": second,
            "microsecond": microsecond,
        }
        self._fields: dict[str, Any] = {name: value for name, value in parts.items() if value is not None}

    def __radd__(self, other: datetime) -> datetime:
        year = self._fields.get("year", other.year)
        month = self._fields.get("month", other.month)
        last = calendar.monthrange(year, month)[1]
        moment = other.replace(**self._fields, day=min(last, self.day or other.day)) + timedelta(days=self.days)
        if self.weekday is not None:
            moment += timedelta(days=(7 - moment.isoweekday() + self.weekday) % 7)
        return moment


def maybe_timedelta(delta: Any) -> Any:
    """A number is seconds; all else is itself."""
    return timedelta(seconds=delta) if isinstance(delta, (int, float)) else delta


def delta_resolution(dt: datetime, delta: timedelta) -> datetime:
    """The moment, cut off at the unit of `delta`: days, hours, minutes."""
    seconds = delta.total_seconds()
    cut: dict[str, Any] = {"microsecond": 0}
    for name, size in (("second", 60), ("minute", 3600), ("hour", 86400)):
        if seconds < size:
            return dt if name == "second" else dt.replace(**cut)
        cut[name] = 0
    return dt.replace(**cut)


def remaining(start: datetime, ends_in: Any, now: datetime | None = None, relative: bool = False) -> timedelta:
    """The time from now to ``start + ends_in``."""
    now = now or wall.now()
    end = start + ends_in
    if relative:
        end = delta_resolution(end, ends_in).replace(microsecond=0)
    left: timedelta = end - now
    return left


def rate(r: Any) -> float:
    """Runs a second, from ``"10/m"`` or a number; 0 where there is no limit."""
    if not r:
        return 0.0
    if not isinstance(r, str):
        return float(r)
    count, _, unit = r.partition("/")
    return float(count) / _RATES[unit or "s"]


def weekday(name: str) -> int:
    """The number of a day, from 0 for Sunday.  Raises KeyError."""
    days = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    short = name[:3].lower()
    if short not in days:
        raise KeyError(name)
    return days.index(short)


def humanize_seconds(secs: float, prefix: str = "", sep: str = "", now: str = "now", microseconds: bool = False) -> str:
    """Seconds as a person says them."""
    secs = float(f"{secs:.2f}") if microseconds else float(f"{secs:.0f}")
    for unit, size, shown in _UNITS:
        if secs >= size or (unit == "second" and microseconds and secs > 0):
            count = secs / size
            return f"{prefix}{sep}{shown.format(count)} {unit}{'' if count == 1 else 's'}"
    return now


def maybe_iso8601(dt: Any) -> datetime | None:
    """A moment from ISO 8601 text; one that is a moment is itself, None is None."""
    return parse_iso(dt) if isinstance(dt, str) else dt


def parse_iso8601(datestring: str) -> datetime:
    """A moment from ISO 8601 text.  Raises ValueError."""
    return parse_iso(datestring)


def is_naive(dt: datetime) -> bool:
    """Whether the moment has no zone."""
    return dt.tzinfo is None or dt.tzinfo.utcoffset(dt) is None


def make_aware(dt: datetime, tz: tzinfo) -> datetime:
    """The moment, in `tz` where it has no zone."""
    return dt.replace(tzinfo=tz) if is_naive(dt) else dt


def localize(dt: datetime, tz: tzinfo) -> datetime:
    """The moment on the clock of `tz`; one without a zone is taken as being there."""
    return make_aware(dt, tz).astimezone(tz)


def to_utc(dt: datetime) -> datetime:
    """The moment in UTC; one without a zone is taken as being in it."""
    return make_aware(dt, UTC)


def maybe_make_aware(dt: datetime, tz: tzinfo | None = None, naive_as_utc: bool = True) -> datetime:
    """The moment, aware: on the clock of `tz` where that is given."""
    if is_naive(dt):
        dt = dt.replace(tzinfo=UTC if naive_as_utc else tz or timezone.local)
    return dt if tz is None else dt.astimezone(tz)


def add_seconds_to_datetime(dt: datetime, seconds: float) -> datetime:
    """So many seconds later, by the clock of UTC."""
    return (dt.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(dt.tzinfo)


def subtract_datetimes(end: datetime, start: datetime) -> timedelta:
    """The time between, by the clock of UTC."""
    return end.astimezone(UTC) - start.astimezone(UTC)


def utcoffset(**_: Any) -> float:
    """Hours by which the clock of this machine is behind UTC."""
    return (system.altzone if system.localtime().tm_isdst else system.timezone) // 3600


def adjust_timestamp(ts: float, offset: float, here: Any = utcoffset) -> float:
    """A time stamp of a machine with another offset."""
    return ts - (offset - float(here())) * 3600


def get_exponential_backoff_interval(factor: int, retries: int, maximum: int, full_jitter: bool = False) -> int:
    """Seconds to wait before the try after so many."""
    pause: int = min(maximum, factor * 2**retries)
    if full_jitter:
        pause = random.randrange(pause + 1)  # noqa: S311  # no secret
    return max(0, pause)


__all__ = [
    "LocalTimezone",
    "add_seconds_to_datetime",
    "adjust_timestamp",
    "delta_resolution",
    "ffwd",
    "get_exponential_backoff_interval",
    "humanize_seconds",
    "is_naive",
    "localize",
    "make_aware",
    "maybe_iso8601",
    "maybe_make_aware",
    "maybe_timedelta",
    "parse_iso8601",
    "rate",
    "remaining",
    "subtract_datetimes",
    "timezone",
    "to_utc",
    "utcoffset",
    "weekday",
]
