"""When scheduled tasks will run, for people to read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone  # type: ignore[import-untyped]  # Django has no annotations

from celeriac_django import moments
from celeriac_django.timing import schedule_of

#: Runs that are shown.
SHOWN: Final = 5


def next_runs(row: Any, app: Any, count: int = SHOWN) -> list[datetime]:
    """The next runs of a row, whether it is enabled or not.  Raises ValueError, saying what is wrong with its timing.

    Raises as `schedule_of` where a plugin is missing.
    """
    schedule, now = schedule_of(row, app), datetime.now(UTC)
    last = row.last_run_at
    # Only intervals count from the last run; of all others what has passed is of no interest.
    moment = min(moments.known(last), now) if last is not None and row.kind == "interval" else now
    found: list[datetime] = []
    while len(found) < count and (run := schedule.next_after(moment)) is not None:
        moment = max(run, now)
        found.append(moment)
    return found


def in_words(row: Any) -> str:
    """The timing of a row as one says it."""
    zone = f" {row.timezone}" if row.timezone else ""
    match row.kind:
        case "interval":
            return f"every {_duration(row.timing)}" + (", on the full unit" if row.relative else "")
        case "solar":
            event, _, place = row.timing.partition(" ")
            return f"{event.replace('_', ' ')} at {place}"
        case "once":
            return f"once, {row.timing}{zone}"
    return f"{row.timing}{zone}"


def shown(moment: datetime) -> str:
    """A moment on the clock of the person who looks."""
    local = timezone.localtime(moment)
    return f"{local:%a %Y-%m-%d %H:%M:%S %Z}"


def _duration(seconds: str) -> str:
    number, unit = split_interval(seconds)
    return unit.rstrip("s") if number == 1 else f"{number:g} {unit}"


#: Seconds of each unit, the longest first.
UNITS: Final = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


def split_interval(seconds: str) -> tuple[float, str]:
    """An interval in the longest unit that it is a whole number of."""
    try:
        number = float(seconds)
    except ValueError:
        return 0.0, "seconds"
    unit = next((name for name, length in UNITS.items() if number and number % length == 0), "seconds")
    return number / UNITS[unit], unit
