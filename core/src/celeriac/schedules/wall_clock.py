"""When a clock on the wall shows one of certain times, on days when the clocks change as on all others.

Two rules, those of the cron that most people know:

- A *fixed* time ("at 2:30") runs once a day.  If the clocks skip it, it runs at the moment they do; if they show it
  twice, it runs the first time.
- A *floating* time (the minute or the hour is ``*`` or ``*/n``: "every 15 minutes") runs whenever the clock shows it:
  not in an hour that is skipped, and also in one that is repeated.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

_DAY = timedelta(days=1)


class WallTimes(NamedTuple):
    """Times of the day, and the days: sorted numbers.  ``floating`` says which of the two rules is followed."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    weekdays: frozenset[int]  # 0 is Sunday
    days: frozenset[int]
    months: frozenset[int]
    floating: bool


def first_after(times: WallTimes, moment: datetime, zone: tzinfo) -> datetime | None:
    """The first run after `moment`, in UTC; None where the calendar ends before it."""
    after = moment.astimezone(UTC)
    today = after.astimezone(zone).date()
    try:
        # Yesterday too: what it has of a repeated hour may be to come, where the clocks change at midnight.
        for day in _days(times, today - _DAY):
            found = _first_on(times, day, after, zone)
            if found is None:
                continue
            following = None
            if not _is_steady(day, zone) and _is_one(times, day + _DAY):
                following = _first_on(times, day + _DAY, after, zone)
            return found if following is None else min(found, following)
    except OverflowError:
        pass
    return None


def _days(times: WallTimes, start: date) -> Iterator[date]:
    """The days from `start` on, in order.  Raises OverflowError at the end of the calendar."""
    day = start
    while True:
        if day.month not in times.months:
            day = _next_month(day)
            continue
        if day.day in times.days and day.isoweekday() % 7 in times.weekdays:
            yield day
        day += _DAY


def _next_month(day: date) -> date:
    last = calendar.monthrange(day.year, day.month)[1]
    return day.replace(day=last) + _DAY


def _is_one(times: WallTimes, day: date) -> bool:
    return day.month in times.months and day.day in times.days and day.isoweekday() % 7 in times.weekdays


def _first_on(times: WallTimes, day: date, after: datetime, zone: tzinfo) -> datetime | None:
    """The first run after a moment among those of one day."""
    if not _is_steady(day, zone):
        return _first_of_change(times, day, after, zone)
    offset = datetime.combine(day, time()).replace(tzinfo=zone).utcoffset() or timedelta()
    wall = after.replace(tzinfo=None) + offset
    found = _first_wall(times, day, wall)
    return None if found is None else (found - offset).replace(tzinfo=UTC)


def _first_wall(times: WallTimes, day: date, wall: datetime) -> datetime | None:
    """The first time of the day after `wall`."""
    if wall.date() > day:
        return None
    if wall.date() < day:
        return datetime.combine(day, time(times.hours[0], times.minutes[0]))
    # From the full minute after this moment on.
    soonest = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
    if soonest.date() > day:
        return None
    place = bisect_left(times.hours, soonest.hour)
    if place == len(times.hours):
        return None
    hour = times.hours[place]
    if hour > soonest.hour:
        return datetime.combine(day, time(hour, times.minutes[0]))
    minute = bisect_left(times.minutes, soonest.minute)
    if minute < len(times.minutes):
        return datetime.combine(day, time(hour, times.minutes[minute]))
    if place + 1 < len(times.hours):
        return datetime.combine(day, time(times.hours[place + 1], times.minutes[0]))
    return None


def _first_of_change(times: WallTimes, day: date, after: datetime, zone: tzinfo) -> datetime | None:
    """The first run after a moment among those of a day on which the clocks change."""
    local = after.astimezone(zone)
    offsets = {*_offsets(day, zone), local.utcoffset() or timedelta()}
    # By so much the order of two times on the clock may differ from that in which they come.
    shift = max(offsets) - min(offsets)
    passed = local.replace(tzinfo=None) - shift
    found: datetime | None = None
    enough = datetime.max
    for wall in _all_on(times, day, passed):
        if wall > enough:
            break
        for run in _moments(wall, times.floating, zone):
            if run > after and (found is None or run < found):
                found, enough = run, min(enough, wall + shift)
    return found


def _all_on(times: WallTimes, day: date, passed: datetime) -> Iterator[datetime]:
    """The times of the day from the hour of `passed` on."""
    for hour in times.hours:
        if datetime.combine(day, time(hour)) + timedelta(hours=1) > passed:
            for minute in times.minutes:
                yield datetime.combine(day, time(hour, minute))


def _is_steady(day: date, zone: tzinfo) -> bool:
    """Whether every time of the day is there once."""
    return len(_offsets(day, zone)) == 1


def _offsets(day: date, zone: tzinfo) -> set[timedelta]:
    """How far the zone is from UTC at the ends of the day."""
    ends = (datetime.combine(each, time(), zone) for each in (day, day + _DAY))
    both = (one for end in ends for one in (end, end.replace(fold=1)))
    return {one.utcoffset() or timedelta() for one in both}


def _moments(wall: datetime, floating: bool, zone: tzinfo) -> list[datetime]:
    """The moments at which the run of that time of a clock takes place."""
    first, second = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return [first.astimezone(UTC)]
    if (first.utcoffset() or timedelta()) > (second.utcoffset() or timedelta()):  # shown twice
        return [first.astimezone(UTC), second.astimezone(UTC)] if floating else [first.astimezone(UTC)]
    return [] if floating else [_end_of_gap(second.astimezone(UTC), first.astimezone(UTC), zone)]


def _end_of_gap(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The moment of the change between two that are on either side of it."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
