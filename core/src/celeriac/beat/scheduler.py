"""Sends what is due: entries in a heap by when they are looked at next, so that a tick costs what is due."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from inspect import signature
from typing import Any, ClassVar

from celeriac.beat.clock import GLANCE, ClockShift
from celeriac.beat.entry import Look, ScheduleEntry, evaluated, event_t
from celeriac.beat.missed import counted_from, runs_due
from celeriac.beat.outage import Outage
from celeriac.exceptions import CeleryError, ImproperlyConfigured
from celeriac.protocol import wall
from celeriac.schedules import crontab

logger = logging.getLogger("celeriac.beat")

#: The longest sleep between two ticks, in seconds.
DEFAULT_MAX_INTERVAL = 300.0

#: Seconds until a broker that was out of reach is tried again, and until a schedule that failed is asked again.
_AGAIN = 1.0
_ASKED_AGAIN = 60.0


class SchedulingError(CeleryError):
    """A periodic task could not be sent."""


class Scheduler:
    """Sends due entries; a subclass keeps them somewhere.

    `tick` sends what is due and gives the seconds until it is to be called again.  All methods are called by the
    thread of beat, but for `interrupt`.
    """

    #: The class of the entries.
    Entry: ClassVar[type[ScheduleEntry]] = ScheduleEntry
    max_interval: float = DEFAULT_MAX_INTERVAL
    #: Seconds between two calls of `sync`.
    sync_every: float = 180.0

    def __init__(
        self,
        app: Any,
        schedule: Mapping[str, Any] | None = None,
        max_interval: float | None = None,
        Producer: Any = None,
        lazy: bool = False,
        sync_every_tasks: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = app
        self.data: dict[str, Any] = dict(schedule or {})
        self.max_interval = max_interval or app.conf.beat_max_loop_interval or self.max_interval
        if self.max_interval < 0:
            raise ImproperlyConfigured(f"beat_max_loop_interval must be 0 s or more, not {self.max_interval:g}")
        self.Producer = Producer
        self.sync_every_tasks = app.conf.beat_sync_every if sync_every_tasks is None else sync_every_tasks
        self.options = kwargs
        self._woken = threading.Event()
        self._heap: list[event_t] | None = None
        self._heap_invalidated = False
        self._seen: Any = None
        self._numbers = itertools.count()
        self._begun = False
        self._reserves_moments = len(signature(self.reserve).parameters) > 1
        #: Until then the broker is not tried, on the monotonic clock: it was out of reach.
        self._monotonic_again = 0.0
        self._outage = Outage("the broker")
        self._clock_shift = ClockShift()
        self._last_sync: float | None = None
        self._tasks_since_sync = 0
        #: When `tick` was called last, on the monotonic clock.
        self.monotonic_last_tick: float | None = None
        if not lazy:
            self.setup_schedule()

    # -- the entries --------------------------------------------------------------------------------------------------

    def get_schedule(self) -> Any:
        """The entries by name."""
        return self.data

    def set_schedule(self, schedule: Any) -> None:
        """Replace the entries."""
        self.data = schedule
        self._heap_invalidated = True

    @property
    def schedule(self) -> Any:
        """The entries by name; what is changed in place is told by `_heap_invalidated`."""
        return self.get_schedule()

    @schedule.setter
    def schedule(self, schedule: Any) -> None:
        self.set_schedule(schedule)

    def setup_schedule(self) -> None:
        """Read the entries; called once before the first tick."""
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.data)

    def install_default_entries(self, data: Any) -> None:
        """Add the entry that has the result store cleaned, where that does not clean itself."""
        backend = getattr(self.app, "backend", None)
        if not self.app.conf.result_expires or backend is None or backend.supports_autoexpire:
            return
        entry = {"task": "celery.backend_cleanup", "schedule": crontab(0, 4), "options": {"expires": 12 * 3600}}
        self.update_from_dict({"celery.backend_cleanup": entry})

    def add(self, **kwargs: Any) -> ScheduleEntry:
        """Add an entry, by the arguments of its class."""
        entry = self.Entry(app=self.app, **kwargs)
        self.schedule[entry.name] = entry
        self._heap_invalidated = True
        return entry

    def update_from_dict(self, dict_: Mapping[str, Any]) -> None:
        """Add entries, as ``beat_schedule`` has them."""
        self.schedule.update({name: self._entry_of(name, given) for name, given in dict_.items()})
        self._heap_invalidated = True

    def merge_inplace(self, b: Mapping[str, Any]) -> None:
        """Have exactly these entries; what is known of those that stay, as when they ran last, stays."""
        schedule = self.schedule
        for name in set(schedule) - set(b):
            schedule.pop(name)
        for name, given in b.items():
            entry = self._entry_of(name, given)
            known = schedule.get(name)
            if known is None:
                schedule[name] = entry
            else:
                known.update(entry)
        self._heap_invalidated = True

    def _entry_of(self, name: str, given: Any) -> ScheduleEntry:
        entry = self.Entry.of(name, given, self.app)
        entry.name = name
        return entry

    # -- ticking ------------------------------------------------------------------------------------------------------

    def populate_heap(self) -> None:
        """Put all entries where they belong by when they are due."""
        heap = [self._event(entry, self._delay_of(entry)) for entry in self.schedule.values() if entry.enabled]
        heapq.heapify(heap)
        self._heap, self._heap_invalidated, self._seen = heap, False, self.schedule

    def tick(self) -> float:
        """Send what is due; the seconds until the next tick."""
        self.monotonic_last_tick = time.monotonic()
        self._follow_clock()
        schedule = self.schedule
        if self._heap is None or self._heap_invalidated or schedule is not self._seen:
            self.populate_heap()
        heap = self._heap
        assert heap is not None
        if not self._begun:
            self._begun = True
            if self._run_at_start():
                self.populate_heap()
                heap = self._heap
        limit, due = wall.time(), []
        while heap and heap[0].time <= limit:
            due.append(heapq.heappop(heap).entry)
        self._look_at_all(due)
        if not heap:
            return self.max_interval
        return min(max(heap[0].time - wall.time(), 0.0), self.max_interval)

    def _run_at_start(self) -> bool:
        """Send what is to run when beat starts; whether there was something."""
        entries = [entry for entry in self.schedule.values() if entry.enabled and entry.run_at_start]
        for entry in entries:
            self._send_due(entry, [entry.default_now()])
        return bool(entries)

    def _look_at_all(self, entries: list[ScheduleEntry]) -> None:
        """Send those whose time has come, and have each looked at again."""
        for entry in entries:
            if self._is_current(entry):
                self._look_at(entry)

    def _look_at(self, entry: ScheduleEntry) -> None:
        if self._seconds_away() > 0:
            self._push(entry, self._seconds_away())
            return
        look = self._look(entry)
        if look.runs is not None:
            entry = self._send_due(entry, look.runs, look.now)
        self._push_next(entry, look.runs is not None, look.seconds)

    def _look(self, entry: ScheduleEntry) -> Look:
        """Ask an entry; one whose schedule fails is not due, so that all others go on."""
        try:
            is_due, seconds = self.is_due(entry)
            now = entry.default_now()
            return Look(self.runs_of(entry, now) if is_due else None, seconds, now)
        except Exception as error:  # noqa: BLE001  # whatever a schedule raises is its own
            self._tell_of_failed(entry, error)
            return Look(None, _ASKED_AGAIN, wall.now())

    @staticmethod
    def _tell_of_failed(entry: ScheduleEntry, error: Exception) -> None:
        logger.error(
            "beat: the schedule of %s (%s) fails, and is asked again in %.0f s: %r",
            *(entry.name, entry.task, _ASKED_AGAIN, error),
        )

    def _is_current(self, entry: ScheduleEntry) -> bool:
        return self.schedule.get(entry.name) is entry and entry.enabled

    def _push_next(self, entry: ScheduleEntry, was_due: bool, seconds: float | None) -> None:
        """Have an entry looked at again; `seconds` is what its schedule said, None for never."""
        if seconds is None:
            return
        if was_due and hasattr(entry.schedule, "next_after"):
            seconds = self._delay_of(entry)  # counted from the run that was due, not from now
        self._push(entry, max(seconds, self._seconds_away()))

    def _push(self, entry: ScheduleEntry, seconds: float) -> None:
        if self._heap is not None:
            heapq.heappush(self._heap, self._event(entry, seconds))

    def _seconds_away(self) -> float:
        """Seconds for which a broker that was out of reach is left alone."""
        return max(self._monotonic_again - time.monotonic(), 0.0)

    def runs_of(self, entry: ScheduleEntry, now: datetime) -> list[datetime]:
        """The moments for which a due entry is to be sent."""
        last = entry.last_run_at
        aware = last if last.tzinfo is not None else last.replace(tzinfo=UTC)
        return runs_due(entry.schedule, aware, now, entry.missed, entry.deadline)

    def _send_due(self, entry: ScheduleEntry, runs: list[datetime], now: datetime | None = None) -> ScheduleEntry:
        """Send the entry for each of the runs; the entry that takes its place."""
        if not runs:
            logger.info("Scheduler: %s (%s) was missed, and is left out", entry.name, entry.task)
            return self._reserve(entry, now)
        for run in runs:
            following = self._reserve(entry, run)
            if not self.apply_entry(entry):
                self._put_back(entry)
                return entry
            entry = following
        return entry

    def _put_back(self, entry: ScheduleEntry) -> None:
        """Undo `reserve`: the entry was not sent."""
        self.schedule[entry.name] = entry

    def _delay_of(self, entry: ScheduleEntry) -> float:
        """Seconds until the entry is looked at."""
        try:
            is_due, seconds = self.is_due(entry)
        except Exception as error:  # noqa: BLE001  # as in `_look`
            self._tell_of_failed(entry, error)
            return _ASKED_AGAIN
        if is_due:
            return 0.0
        return self.max_interval if seconds is None else seconds

    def _event(self, entry: ScheduleEntry, seconds: float) -> event_t:
        if entry.jitter and seconds:
            seconds += random.uniform(0, entry.jitter)  # noqa: S311  # no secret
        return event_t(wall.time() + seconds, next(self._numbers), entry)

    def is_due(self, entry: ScheduleEntry) -> Any:
        """Whether an entry is due, and the seconds until it is looked at again."""
        return entry.is_due()

    def reserve(self, entry: ScheduleEntry, run: datetime | None = None) -> ScheduleEntry:
        """Note that the entry runs; the one that takes its place."""
        following = self.schedule[entry.name] = entry.next(run)
        return following

    def _reserve(self, entry: ScheduleEntry, run: datetime | None) -> ScheduleEntry:
        if self._reserves_moments:
            return self.reserve(entry, run)
        # One that was written for Celery is told of no moment, since its is now, and may not keep what it gives.
        following = self.schedule[entry.name] = self.reserve(entry)
        return following

    # -- the clock ----------------------------------------------------------------------------------------------------

    def _follow_clock(self) -> None:
        """Where the clock was set back, look at all entries anew: none is to wait until it has caught up."""
        shift = self._clock_shift.follow()
        if shift >= 0:
            return
        logger.warning("beat: the clock was set back by %.0f s", -shift)
        for entry in self.schedule.values():
            try:
                self._follow_clock_of(entry)
            except Exception as error:  # noqa: BLE001  # as in `_look`
                self._tell_of_failed(entry, error)
        self._heap_invalidated = True

    def _follow_clock_of(self, entry: ScheduleEntry) -> None:
        last = entry.last_run_at
        aware = last if last.tzinfo is not None else last.replace(tzinfo=UTC)
        counted = counted_from(entry.schedule, aware, entry.default_now())
        if counted != aware:
            entry.last_run_at = counted

    # -- sending ------------------------------------------------------------------------------------------------------

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> bool:
        """Send an entry; what goes wrong is logged.  False where the broker is out of reach: it is to be sent again."""
        level = logging.DEBUG if self._outage.fault else logging.INFO
        logger.log(level, "Scheduler: Sending due task %s (%s)", entry.name, entry.task)
        try:
            result = self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            if isinstance(error.__cause__, self.app.connection_errors):
                self._outage.tell(error)
                self._monotonic_again = time.monotonic() + _AGAIN
                return False
            why, is_traced = error.__cause__ or error, logger.isEnabledFor(logging.DEBUG)
            logger.error("Scheduler: %s (%s) could not be sent: %r", entry.name, entry.task, why, exc_info=is_traced)
        else:
            self._outage.over()
            logger.debug("%s sent. id->%s", entry.task, getattr(result, "id", result))
        return True

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send an entry; its result.  Raises `SchedulingError`."""
        if advance:
            entry = self.reserve(entry)
        task = self.app.tasks.get(entry.task)
        options = {**entry.options, **kwargs}
        options["headers"] = {
            **(options.get("headers") or {}),
            "periodic_task_name": entry.name,
            "celery_beat_task": True,
        }
        if producer is not None:
            options["producer"] = producer
        try:
            args, keywords = evaluated(entry.args), evaluated(entry.kwargs)
            if task is not None:
                return task.apply_async(args, keywords, **options)
            return self.send_task(entry.task, args, keywords, **options)
        except Exception as error:
            raise SchedulingError(f"couldn't apply scheduled task {entry.name}: {error}") from error
        finally:
            self._tasks_since_sync += 1
            if self.should_sync():
                self._do_sync()

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send a task that is not known here."""
        return self.app.send_task(*args, **kwargs)

    @property
    def producer(self) -> Any:
        """What schedulers that were written for Celery send with; None: the app sends on connections of its own."""
        return None

    @property
    def connection(self) -> Any:
        """A connection to the broker, not opened yet."""
        return self.app.connection_for_write()

    # -- keeping ------------------------------------------------------------------------------------------------------

    def should_sync(self) -> bool:
        """Whether it is time for `sync`."""
        if self.sync_every_tasks and self._tasks_since_sync >= self.sync_every_tasks:
            return True
        return self._last_sync is None or time.monotonic() - self._last_sync > self.sync_every

    def _do_sync(self) -> None:
        try:
            logger.debug("beat: Synchronizing schedule...")
            self.sync()
        finally:
            self._last_sync = time.monotonic()
            self._tasks_since_sync = 0

    def sync(self) -> None:
        """Keep what is known of the entries."""

    def close(self) -> None:
        """Keep it for the last time."""
        self.sync()

    # -- waiting ------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Sleep until the next tick, or until `interrupt`."""
        monotonic_end = time.monotonic() + seconds
        while (left := monotonic_end - time.monotonic()) > 0 and not self._woken.wait(min(left, GLANCE)):
            if self._clock_shift.seconds():
                break
        self._woken.clear()

    def interrupt(self) -> None:
        """End the present `wait`, or the next one; from any thread."""
        self._woken.set()

    # -- what it tells of itself --------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        """Whether it is this one, of several that share a schedule, that sends."""
        return True

    def faults(self) -> list[str]:
        """What keeps it from doing its work, in sentences; from any thread."""
        return [] if self._outage.fault is None else [self._outage.fault]

    @property
    def info(self) -> str:
        """What the banner says of it."""
        return ""
