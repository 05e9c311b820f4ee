"""The scheduler that keeps in a file when each entry ran last."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from celeriac.beat.missed import counted_from
from celeriac.beat.record import Record
from celeriac.beat.scheduler import Scheduler
from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from celeriac.beat.entry import ScheduleEntry

logger = logging.getLogger("celeriac.beat")

#: So many lines may be added to the file, for each entry and besides, before it is written anew.
_LINES_PER_ENTRY: Final = 10
_LINES: Final = 1000
#: Seconds until a file that could not be written is tried again.
_TRIED_AGAIN: Final = 10.0


class PersistentScheduler(Scheduler):
    """Entries of the configuration; a run is noted in the file before its task is sent.

    The file (``--schedule``, ``beat_schedule_filename``) can be cut at any byte by a crash, and is never unpickled.
    Where it cannot be written any more, as on a full disk, beat goes on sending, and tries again.
    """

    def __init__(self, *args: Any, schedule_filename: str | None = None, **kwargs: Any) -> None:
        app = args[0] if args else kwargs["app"]
        self.schedule_filename = schedule_filename or app.conf.beat_schedule_filename
        self._record = Record(Path(self.schedule_filename).absolute())
        #: Until then the file is not tried, on the monotonic clock; None where all is in it.
        self._monotonic_try: float | None = None
        self._fault: str | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        super().setup_schedule()
        self._record.claim()
        known = self._record.read()
        for name, entry in self.data.items():
            if name in known:
                _take(entry, known[name])
        self._write_anew()

    def reserve(self, entry: ScheduleEntry, run: datetime | None = None) -> ScheduleEntry:
        following = super().reserve(entry, run)
        self._add(following)
        return following

    def _put_back(self, entry: ScheduleEntry) -> None:
        super()._put_back(entry)
        self._add(entry)

    def sync(self) -> None:
        # With ten thousand entries, to write all of them takes longer than a task may be late.
        if self._record.added > _LINES_PER_ENTRY * len(self.data) + _LINES:
            self._write(self._write_anew)
        else:
            self._write(self._record.settle)

    def _add(self, entry: ScheduleEntry) -> None:
        self._write(lambda: self._record.add({entry.name: _kept(entry)}))

    def _write(self, write: Callable[[], None]) -> None:
        """Write; where that fails all is written anew after a while, since it is not known what the file has."""
        if self._monotonic_try is not None:
            if time.monotonic() < self._monotonic_try:
                return
            write = self._write_anew
        try:
            write()
        except ImproperlyConfigured as error:
            self._fault = str(error)
            logger.error("beat: %s; until it is written again, a restart forgets when tasks ran last", error)
            self._record.close()
            self._monotonic_try = time.monotonic() + _TRIED_AGAIN
        else:
            if self._monotonic_try is not None:
                logger.warning("beat: %s is written again", self.schedule_filename)
            self._monotonic_try = self._fault = None

    def faults(self) -> list[str]:
        fault = self._fault
        return super().faults() if fault is None else [*super().faults(), fault]

    def _write_anew(self) -> None:
        self._record.replace({name: _kept(entry) for name, entry in self.data.items()})

    def close(self) -> None:
        self._monotonic_try = None
        self._write(self._write_anew)
        self._record.close()
        self._record.release()

    @property
    def info(self) -> str:
        return f"    . db -> {self.schedule_filename}"


def _kept(entry: ScheduleEntry) -> dict[str, Any]:
    last = entry.last_run_at
    aware = last if last.tzinfo is not None else last.replace(tzinfo=UTC)
    return {"last_run_at": aware.astimezone(UTC).isoformat(), "total_run_count": entry.total_run_count}


def _take(entry: ScheduleEntry, known: dict[str, Any]) -> None:
    try:
        last, count = datetime.fromisoformat(known["last_run_at"]), int(known["total_run_count"])
        entry.last_run_at = counted_from(entry.schedule, last, entry.default_now())
        entry.total_run_count = count
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        logger.error("beat: when %r ran last cannot be read, and it counts from now on: %r", entry.name, error)
