"""Schedules as JSON has them: what a store of schedules keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from celeriac.schedules.cron import crontab
from celeriac.schedules.interval import schedule
from celeriac.schedules.moment import once
from celeriac.schedules.sun import solar


def _interval(seconds: float, relative: bool = False, **common: Any) -> schedule:
    return schedule(seconds, relative, **common)


_MAKERS: Final[Mapping[str, Any]] = {"interval": _interval, "crontab": crontab, "once": once, "solar": solar}


def to_dict(given: Any) -> dict[str, Any]:
    """The JSON form of a schedule.  Raises TypeError for one that has none."""
    make = getattr(given, "to_dict", None)
    if make is None:
        raise TypeError(f"{given!r} has no method to_dict, so that it cannot be kept in a store")
    form: dict[str, Any] = make()
    return form


def from_dict(form: Any, app: Any = None) -> Any:
    """The schedule of a JSON form.  Raises ValueError, saying what is wrong, for anything that is none."""
    if not isinstance(form, Mapping) or form.get("type") not in _MAKERS:
        raise ValueError(f"a schedule has a type, one of {', '.join(_MAKERS)}; found {str(form)[:200]!r}")
    arguments = {str(name): value for name, value in form.items() if name != "type"}
    try:
        return _MAKERS[form["type"]](**arguments, app=app)
    except TypeError as error:
        raise ValueError(f"a schedule of type {form['type']!r}: {error}") from None
