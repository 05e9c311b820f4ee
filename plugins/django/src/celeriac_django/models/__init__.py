"""The tables: results, scheduled tasks, chords, and what processes agree on."""

from __future__ import annotations

from celeriac_django.models.chords import Admission, Chord, ChordPart
from celeriac_django.models.results import GroupResult, TaskResult
from celeriac_django.models.schedules import ScheduledTask, TakenRun
from celeriac_django.models.shared import SharedCounter, SharedLock, SharedMember, SharedValue

__all__ = [
    "Admission",
    "Chord",
    "ChordPart",
    "GroupResult",
    "ScheduledTask",
    "SharedCounter",
    "SharedLock",
    "SharedMember",
    "SharedValue",
    "TakenRun",
    "TaskResult",
]
