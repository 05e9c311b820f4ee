"""Beat: sends periodic tasks."""

from __future__ import annotations

from celeriac.beat.entry import BeatLazyFunc, ScheduleEntry
from celeriac.beat.persistent import PersistentScheduler
from celeriac.beat.program import Beat
from celeriac.beat.scheduler import DEFAULT_MAX_INTERVAL, Scheduler, SchedulingError
from celeriac.beat.service import EmbeddedService, Service
from celeriac.beat.store import StoreScheduler

__all__ = [
    "DEFAULT_MAX_INTERVAL",
    "Beat",
    "BeatLazyFunc",
    "EmbeddedService",
    "PersistentScheduler",
    "ScheduleEntry",
    "Scheduler",
    "SchedulingError",
    "Service",
    "StoreScheduler",
]
