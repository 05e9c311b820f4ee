"""The scheduler whose entries are rows of the project's database: any number of beats share them."""

from __future__ import annotations

import copy
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import django  # type: ignore[import-untyped]  # Django has no annotations
from django.apps import apps  # type: ignore[import-untyped]  # as above
from django.db import (  # type: ignore[import-untyped]  # as above
    DatabaseError,
    InterfaceError,
    close_old_connections,
    models,
    router,
    transaction,
)

from celeriac.beat import ScheduleEntry, Scheduler
from celeriac.beat.outage import Outage
from celeriac.exceptions import ImproperlyConfigured
from celeriac_django import moments

logger = logging.getLogger("celeriac.beat")

#: Seconds between two looks at what has changed, and until a run that was taken and not sent is sent by another.
_LOOK: Final = 0.5
_OVERDUE: Final = 10.0
#: A beat that has slept or waited so long counts changes from so long ago, since clocks and commits differ.
_SKEW: Final = timedelta(seconds=60)


class DjangoScheduler(Scheduler):
    """``celeriac beat --scheduler django``: the entries of the configuration, and rows that the admin edits.

    A run is taken by whoever first moves its row on, noted in the row until it has been sent, and sent with an id of
    its own: of several beats one sends it, and where that one dies in between another does, with the same id.
    """

    max_interval = 5.0

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        if not (apps.ready or apps.loading):
            django.setup()
        if not apps.is_installed("celeriac_django"):
            raise ImproperlyConfigured(
                'the scheduler django needs its table: add "celeriac_django" to INSTALLED_APPS and run '
                "python manage.py migrate celeriac"
            )
        self._monotonic_looked = 0.0
        self._changed_from: datetime | None = None
        self._is_ready = False
        self._database_outage = Outage("the database of the schedule")
        #: The broker takes one message of an id, so that a run sent again is no second one.
        self._broker_decides = bool(getattr(app.broker_transport, "publishes_once", False))
        super().__init__(app, *args, **kwargs)

    def faults(self) -> list[str]:
        fault = self._database_outage.fault
        return super().faults() if fault is None else [*super().faults(), fault]

    def setup_schedule(self) -> None:
        self._configured = {
            name: self._entry_of(name, given) for name, given in (self.app.conf.beat_schedule or {}).items()
        }

    # -- ticking ------------------------------------------------------------------------------------------------------

    def tick(self) -> float:
        try:
            close_old_connections()
            self._follow()
            self._send_overdue()
            seconds = min(super().tick(), _LOOK)
        except (DatabaseError, InterfaceError) as error:
            self._database_outage.tell(error)
            self.monotonic_last_tick = time.monotonic()
            close_old_connections()
            return _LOOK
        self._database_outage.over()
        return seconds

    def _follow(self) -> None:
        """Read what has changed since the last look."""
        from celeriac_django.entries import configure
        from celeriac_django.models import ScheduledTask

        now = time.monotonic()
        if self._is_ready and now - self._monotonic_looked < _LOOK:
            return
        if not self._is_ready:
            configure(self._configured)
            self.install_default_rows()
        query = ScheduledTask.objects.all()
        if self._changed_from is not None:
            query = query.filter(changed_at__gte=moments.stored(self._changed_from - _SKEW))
        begun = datetime.now(UTC)
        for row in query:
            known = self.data.get(row.name)
            if known is None or known.changed_at != row.changed_at:
                self._read(row)
        for name in set(self.data).difference(ScheduledTask.objects.values_list("name", flat=True)):
            del self.data[name]
            self._heap_invalidated = True
        self._changed_from, self._monotonic_looked, self._is_ready = begun, now, True

    def install_default_rows(self) -> None:
        """The entry that cleans the result store, where that does not clean itself."""
        from celeriac_django.entries import columns_of
        from celeriac_django.models import ScheduledTask

        defaults: dict[str, ScheduleEntry] = {}
        kept, self.data = self.data, defaults
        try:
            self.install_default_entries(defaults)
        finally:
            self.data = kept
        for name, entry in defaults.items():
            ScheduledTask.objects.get_or_create(name=name, defaults=columns_of(entry))

    def _read(self, row: Any) -> None:
        from celeriac_django.entries import entry_of

        self._heap_invalidated = True
        before = self.data.pop(row.name, None)
        try:
            entry = entry_of(row, self.app)
        except (ValueError, TypeError) as error:
            logger.error("beat: the scheduled task %r is left out: %s", row.name, error)
            return
        resumed = before is not None and entry.enabled and not before.enabled
        if resumed or row.last_run_at is None or entry.last_run_at < moments.known(row.last_run_at):
            # From now on: another beat counts from there as well.
            now = datetime.now(UTC)
            type(row).objects.filter(pk=row.pk, last_run_at=row.last_run_at).update(last_run_at=moments.stored(now))
            entry.last_run_at = now
        self.data[row.name] = entry

    def _follow_clock_of(self, entry: Any) -> None:
        before = entry.last_run_at
        super()._follow_clock_of(entry)
        if entry.last_run_at != before:  # a run is taken by whoever knows when the last one was
            self._rows(entry).filter(last_run_at=moments.stored(before)).update(
                last_run_at=moments.stored(entry.last_run_at)
            )

    # -- sending ------------------------------------------------------------------------------------------------------

    def _send_due(self, entry: Any, runs: list[datetime], now: datetime | None = None) -> ScheduleEntry:
        due = [run.astimezone(UTC) for run in runs]
        last = due[-1] if due else (now or entry.default_now()).astimezone(UTC)
        if not self._take(entry, last, due):
            return self._another_took(entry)
        for sent, run in enumerate(due):
            if not self._send_run(entry, run):
                return self._give_back(entry, due, due[:sent])
        following = self.reserve(entry, last)
        following.total_run_count = entry.total_run_count + len(due)
        self._forget_taken(entry, due)
        return following

    def _give_back(self, entry: Any, due: list[datetime], sent: list[datetime]) -> ScheduleEntry:
        """The entry, to be looked at again from the last run on that was sent: the broker is out of reach."""
        entry.last_run_at = sent[-1] if sent else entry.last_run_at
        entry.total_run_count += len(sent)
        self._rows(entry).update(
            last_run_at=moments.stored(entry.last_run_at),
            total_run_count=models.F("total_run_count") - len(due) + len(sent),
        )
        self._forget_taken(entry, due)
        same: ScheduleEntry = entry
        return same

    def _take(self, entry: Any, last: datetime, due: list[datetime]) -> bool:
        """Move the row on from the run that is known here; whether no other beat has."""
        from celeriac_django.models import TakenRun

        rows, taken_at = self._rows(entry), moments.now()
        with transaction.atomic(using=router.db_for_write(TakenRun)):
            taken = rows.filter(last_run_at=moments.stored(entry.last_run_at), enabled=True).update(
                last_run_at=moments.stored(last), total_run_count=models.F("total_run_count") + len(due)
            )
            if taken:
                TakenRun.objects.bulk_create(
                    TakenRun(scheduled_id=entry.row_id, run_at=moments.stored(run), taken_at=taken_at) for run in due
                )
        return bool(taken)

    @staticmethod
    def _forget_taken(entry: Any, runs: list[datetime]) -> None:
        from celeriac_django.models import TakenRun

        if runs:
            TakenRun.objects.filter(
                scheduled_id=entry.row_id, run_at__in=[moments.stored(run) for run in runs]
            ).delete()

    def _another_took(self, entry: Any) -> ScheduleEntry:
        """The entry as another beat, or who edits it, has left it."""
        row = self._rows(entry).first()
        if row is None:
            del self.data[entry.name]
        else:
            self._read(row)
        left: ScheduleEntry = self.data.get(entry.name, entry)
        return left

    def _send_overdue(self) -> None:
        """Send the runs that another beat has taken, and said nothing of for long."""
        from celeriac_django.models import TakenRun

        now, overdue = moments.now(), moments.stored(datetime.now(UTC) - timedelta(seconds=_OVERDUE))
        for run in TakenRun.objects.filter(taken_at__lt=overdue).select_related("scheduled").order_by("run_at"):
            if not TakenRun.objects.filter(pk=run.pk, taken_at=run.taken_at).update(taken_at=now):
                continue
            entry = self.data.get(run.scheduled.name)
            if entry is None or self._send_run(entry, moments.known(run.run_at)):
                TakenRun.objects.filter(pk=run.pk).delete()

    def _send_run(self, entry: Any, run: datetime) -> bool:
        from celeriac_django.entries import task_id

        sent = copy.copy(entry)
        sent.options = {**entry.options, "task_id": task_id(entry.name, run)}
        if self._broker_decides:
            sent.options["publish_once"] = True
        return self.apply_entry(sent)

    @staticmethod
    def _rows(entry: Any) -> Any:
        from celeriac_django.models import ScheduledTask

        return ScheduledTask.objects.filter(pk=entry.row_id)

    @property
    def info(self) -> str:
        return "    . scheduled tasks -> Django's database"
