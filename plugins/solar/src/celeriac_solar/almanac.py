"""The almanac: when the sun next rises, stands highest or sets, computed by PyEphem."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import ephem  # type: ignore[import-untyped]  # it has no annotations

#: How high the sun stands at each event, in degrees and minutes; that of the rim for sunrise and sunset, with the usual
#: refraction of 34 minutes, and of the centre for the twilights.
_HORIZONS: Final = {
    "dawn_astronomical": "-18",
    "dawn_nautical": "-12",
    "dawn_civil": "-6",
    "sunrise": "-0:34",
    "sunset": "-0:34",
    "dusk_civil": "-6",
    "dusk_nautical": "-12",
    "dusk_astronomical": "-18",
}
_RISING: Final = ("dawn_astronomical", "dawn_nautical", "dawn_civil", "sunrise")
_DAY: Final = timedelta(days=1)


class EphemAlmanac:
    """The driver ``ephem`` of the kind ``almanac``."""

    def next_event(self, event: str, lat: float, lon: float, after: datetime, most: timedelta) -> datetime | None:
        """The first such event after a moment (aware), in UTC; None if there is none within `most`.

        Near the poles the sun may be up or down for months.
        """
        begin = after.astimezone(UTC)
        while begin - after <= most:
            try:
                # What was found is a moment of its own kind: half a second keeps it from being found again.
                found = self._after(event, lat, lon, begin + timedelta(seconds=0.5))
            except (ephem.AlwaysUpError, ephem.NeverUpError):
                begin += _DAY
                continue
            return found
        return None

    def _after(self, event: str, lat: float, lon: float, begin: datetime) -> datetime:
        place: Any = ephem.Observer()
        place.lat, place.lon = str(lat), str(lon)
        place.elevation = place.pressure = 0
        place.date = begin.replace(tzinfo=None)
        sun = ephem.Sun()
        if event == "solar_noon":
            found = place.next_transit(sun)
        else:
            place.horizon = _HORIZONS[event]
            centre = event not in {"sunrise", "sunset"}
            search = place.next_rising if event in _RISING else place.next_setting
            found = search(sun, use_center=centre)
        moment: datetime = found.datetime()
        return moment.replace(tzinfo=UTC)
