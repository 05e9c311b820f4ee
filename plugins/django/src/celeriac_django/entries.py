"""Rows of scheduled tasks, and the entries that beat has of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from celeriac.beat import ScheduleEntry
from celeriac.beat.missed import counted_from
from celeriac.exceptions import ImproperlyConfigured
from celeriac_django import moments
from celeriac_django.models import ScheduledTask
from celeriac_django.timing import schedule_of, timing_of

#: What an entry and its row have alike.
_ALIKE: Final = ("task", "options", "relative", "run_at_start", "missed", "deadline", "jitter")


class DjangoEntry(ScheduleEntry):
    """An entry, with the row that it was read from."""

    row_id: int
    #: When the row was changed last, as it was read.
    changed_at: datetime


def entry_of(row: ScheduledTask, app: Any) -> DjangoEntry:
    """The entry of a row.  Raises ValueError for a row that nobody has checked."""
    entry = DjangoEntry(
        row.name,
        row.task,
        schedule=schedule_of(row, app),
        args=tuple(row.args),
        kwargs=row.kwargs,
        options=row.options,
        relative=row.relative,
        enabled=row.enabled,
        run_at_start=row.run_at_start,
        missed=row.missed,
        deadline=row.deadline,
        jitter=row.jitter,
        total_run_count=row.total_run_count,
        app=app,
    )
    if row.last_run_at is not None:
        entry.last_run_at = counted_from(entry.schedule, moments.known(row.last_run_at), datetime.now(UTC))
    entry.row_id, entry.changed_at = row.pk, row.changed_at
    return entry


def columns_of(entry: ScheduleEntry) -> dict[str, Any]:
    """What a row has of an entry of ``beat_schedule``.  Raises `ImproperlyConfigured` for what no table can keep."""
    try:
        timing = timing_of(entry.schedule)
        kept = json.loads(json.dumps({"args": list(entry.args), "kwargs": entry.kwargs, "options": entry.options}))
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"the entry {entry.name!r} cannot be kept in the database: {error}") from error
    return {**{name: getattr(entry, name) for name in _ALIKE}, **timing._asdict(), **kept}


def configure(entries: Mapping[str, ScheduleEntry]) -> None:
    """Have the entries of ``beat_schedule`` in the table as they are in this program, and no others of an earlier one.

    Whether one is enabled is up to the table once it is there.
    """
    known = {row.name: row for row in ScheduledTask.objects.all()}
    for name, entry in entries.items():
        columns, row = columns_of(entry), known.get(name)
        if row is None:
            ScheduledTask.objects.get_or_create(
                name=name, defaults={**columns, "enabled": entry.enabled, "configured": True}
            )
        elif not row.configured or any(getattr(row, column) != value for column, value in columns.items()):
            for column, value in {**columns, "configured": True}.items():
                setattr(row, column, value)
            row.save(update_fields=[*columns, "configured", "changed_at"])
    ScheduledTask.objects.filter(configured=True).exclude(name__in=list(entries)).delete()


def task_id(name: str, run: datetime) -> str:
    """The id of the task of one run: whoever sends it, it is the same."""
    return str(uuid5(NAMESPACE_URL, f"celeriac-django:{name}:{run.timestamp():.6f}"))
