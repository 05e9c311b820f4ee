"""Moments on the wire: ISO 8601 text, countdowns in seconds, expiry in milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from celeriac.exceptions import ProtocolError
from celeriac.protocol import wall
from celeriac.protocol.shapes import described, wrong

__all__ = ["LATEST", "eta_after", "expires_at", "parse_iso", "parse_moment", "seconds_until", "to_iso"]

#: A day is kept at either end of the calendar, so that every time zone can show every moment that is read.
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LONGEST: Final = 64


def to_iso(moment: datetime) -> str:
    """ISO 8601 text with offset; a naive `moment` is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.isoformat()


def parse_iso(text: str, naive: tzinfo | None = UTC) -> datetime:
    """Read ISO 8601 text (``Z``, an offset, or none) as an aware datetime.

    Text without an offset is in zone `naive`, or that of this host where `naive` is None.
    Moments outside the years that every zone can show are moved to the nearest that can.
    Raises ProtocolError for anything else.
    """
    if len(text) > _LONGEST:
        raise wrong("date and time", f"ISO 8601 text of at most {_LONGEST} characters", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ProtocolError(f"date and time: expected ISO 8601 text, found {described(text)}") from None
    return _aware(moment, naive)


def parse_moment(value: Any, part: str, naive: tzinfo | None = UTC) -> datetime | None:
    """Read a header or field that is ISO text, null, or (from serializers that know them) a datetime.

    `part` names it in the ProtocolError.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return parse_iso(value, naive)
        except ProtocolError as exc:
            raise ProtocolError(f"{part}: {exc}") from None
    if isinstance(value, datetime):
        return _aware(value, naive)
    raise wrong(part, "ISO 8601 text or null", value)


def _aware(moment: datetime, naive: tzinfo | None) -> datetime:
    try:
        if moment.tzinfo is None:
            moment = moment.astimezone() if naive is None else moment.replace(tzinfo=naive)
        if 1 < moment.year < 9999:
            return moment
        return min(max(moment, _EARLIEST), LATEST)
    except (OverflowError, OSError, ValueError):  # the platform cannot convert it: beyond its calendar
        return LATEST if moment.year > 5000 else _EARLIEST


def eta_after(countdown: float | timedelta, now: datetime | None = None) -> datetime:
    """The moment `countdown` (seconds; may be negative) after `now` (aware; default: this moment, UTC).

    Raises ProtocolError for what is no number of seconds or goes beyond the calendar.
    """
    return _add(countdown, now, "countdown")


def expires_at(expires: float | timedelta | datetime | str, now: datetime | None = None) -> datetime:
    """The moment of expiry: seconds or a timedelta from `now`, or a moment (a datetime or ISO text).

    A moment in the past is allowed: it means that the task has expired already.
    """
    if isinstance(expires, (datetime, str)):
        return parse_iso(expires) if isinstance(expires, str) else _aware(expires, UTC)
    return _add(expires, now, "expires")


def _add(seconds: Any, now: datetime | None, part: str) -> datetime:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, timedelta)):
        raise wrong(part, "a number of seconds", seconds)
    try:
        delta = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        return (now if now is not None else wall.now()) + delta
    except (OverflowError, ValueError):  # NaN is a ValueError, infinity and 1e300 an OverflowError
        raise wrong(part, "a number of seconds within the calendar", seconds) from None


def seconds_until(moment: datetime, now: datetime | None = None) -> float:
    """Seconds from `now` (aware; default: this moment) to `moment`; negative when it is past."""
    return (moment - (now if now is not None else wall.now())).total_seconds()
