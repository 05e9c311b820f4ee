"""Schedules: when periodic tasks run."""

from __future__ import annotations

from celeriac.schedules.base import BaseSchedule, schedstate
from celeriac.schedules.cron import crontab
from celeriac.schedules.cron_fields import Cronspec, ParseException, crontab_parser
from celeriac.schedules.form import from_dict, to_dict
from celeriac.schedules.interval import maybe_schedule, schedule
from celeriac.schedules.moment import clocked, once
from celeriac.schedules.sun import solar

__all__ = [
    "BaseSchedule",
    "Cronspec",
    "ParseException",
    "clocked",
    "crontab",
    "crontab_parser",
    "from_dict",
    "maybe_schedule",
    "once",
    "schedstate",
    "schedule",
    "solar",
    "to_dict",
]
