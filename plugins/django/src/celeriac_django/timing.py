"""When a scheduled task runs: between a row of the table and a schedule."""

from __future__ import annotations

from typing import Any, NamedTuple

from celeriac.schedules import crontab, from_dict, to_dict
from celeriac.schedules.sun import EVENTS as SUN_EVENTS


class Timing(NamedTuple):
    """The columns of a schedule."""

    kind: str
    timing: str
    timezone: str = ""


def schedule_of(row: Any, app: Any = None) -> Any:
    """The schedule of a row.  Raises ValueError, saying what is wrong with its timing."""
    zone = {"tz": row.timezone} if row.timezone else {}
    text = str(row.timing).strip()
    match row.kind:
        case "crontab":
            return crontab.from_string(text, app=app, **zone)
        case "interval":
            return from_dict({"type": "interval", "seconds": _seconds(text), "relative": row.relative, **zone}, app)
        case "solar":
            event, latitude, longitude = _sun(text)
            return from_dict({"type": "solar", "event": event, "lat": latitude, "lon": longitude, **zone}, app)
        case "once":
            return from_dict({"type": "once", "at": text, **zone}, app)
    raise ValueError(f"there is no kind of schedule {row.kind!r}")


def timing_of(schedule: Any) -> Timing:
    """The columns for a schedule.  Raises TypeError for one of another kind than the table has."""
    form = to_dict(schedule)
    zone = form.get("tz", "")
    match form["type"]:
        case "crontab":
            fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
            return Timing("crontab", " ".join(_field(form[field]) for field in fields), zone)
        case "interval":
            return Timing("interval", f"{form['seconds']:g}", zone)
        case "solar":
            return Timing("solar", f"{form['event']} {form['lat']:g} {form['lon']:g}", zone)
        case "once":
            return Timing("once", form["at"], zone)
    raise TypeError(f"{schedule!r} cannot be kept in the table of scheduled tasks")


def _field(given: Any) -> str:
    """One field of a crontab, which may also be a number or many."""
    if isinstance(given, (list, tuple, set, frozenset)):
        return ",".join(str(one) for one in given)
    return str(given).replace(" ", "")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(f"an interval is a number of seconds, such as 30, not {text!r}") from None
    if not 0 < seconds < float("inf"):
        raise ValueError(f"an interval is more than 0 seconds, not {text}")
    return seconds


def _sun(text: str) -> tuple[str, float, float]:
    try:
        event, latitude, longitude = text.split()
        return event, float(latitude), float(longitude)
    except ValueError:
        raise ValueError(f"by the sun: event latitude longitude, such as sunset 52.5 13.4, not {text!r}") from None


__all__ = ["SUN_EVENTS", "Timing", "schedule_of", "timing_of"]
