"""By the sun: at dawn, sunrise, noon, sunset or dusk of a place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from celeriac.schedules.base import ComputedSchedule

#: The events of a day.
EVENTS: Final = (
    "dawn_astronomical",
    "dawn_nautical",
    "dawn_civil",
    "sunrise",
    "solar_noon",
    "sunset",
    "dusk_civil",
    "dusk_nautical",
    "dusk_astronomical",
)
#: Beyond the polar circles an event may not come for half a year.
_MOST_DAYS: Final = 365


class solar(ComputedSchedule):  # noqa: N801  # Celery's name
    """Runs at an event of the sun (one of `EVENTS`) at a latitude and longitude in degrees, north and east positive.

    When the sun stands where comes from an almanac, a driver of a plugin: ``pip install celeriac-solar``.
    """

    max_search_days = _MOST_DAYS

    def __init__(
        self,
        event: str,
        lat: float,
        lon: float,
        nowfun: Callable[[], datetime] | None = None,
        app: Any = None,
        tz: str | tzinfo | None = None,
    ) -> None:
        super().__init__(nowfun, app, tz)
        if event not in EVENTS:
            raise ValueError(f"the sun has no event {event!r}; it has {', '.join(EVENTS)}")
        self.event = event
        self.lat = _degrees("lat", lat, 90)
        self.lon = _degrees("lon", lon, 180)

    def next_after(self, moment: datetime) -> datetime | None:
        almanac = self.app.plugins.driver("almanac", "ephem")
        found: datetime | None = almanac().next_event(
            self.event, self.lat, self.lon, moment.astimezone(UTC), timedelta(days=self.max_search_days)
        )
        return found

    def to_dict(self) -> dict[str, Any]:
        return {"type": "solar", "event": self.event, "lat": self.lat, "lon": self.lon, **self._zone_entry()}

    def __repr__(self) -> str:
        return f"<solar: {self.event} at latitude {self.lat}, longitude: {self.lon}>"

    def __reduce__(self) -> Any:
        return type(self), (self.event, self.lat, self.lon, self.nowfun, None, self._tz)

    def _identity(self) -> Any:
        return self.event, self.lat, self.lon, self._tz


def _degrees(name: str, value: Any, most: int) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -most <= value <= most:
        raise ValueError(f"{name} is a number of degrees from -{most} to {most}, not {value!r}")
    return float(value)
