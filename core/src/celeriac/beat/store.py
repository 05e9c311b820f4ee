"""The scheduler that shares its schedule through a store: of several beats one leads, and another takes over."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celeriac.beat.entry import Look
from celeriac.beat.leadership import RENEWAL, Leadership
from celeriac.beat.missed import counted_from
from celeriac.beat.outage import Outage
from celeriac.beat.scheduler import Scheduler
from celeriac.beat.stored import CONFIGURED, RunState, Stored, StoredSchedule, fields_of
from celeriac.canvas.admission import ADMISSION, mark_of
from celeriac.exceptions import StoreUnavailable
from celeriac.protocol import wall

if TYPE_CHECKING:
    from celeriac.beat.entry import ScheduleEntry

logger = logging.getLogger("celeriac.beat")

#: Seconds between two looks at whether there are changes, or the leader is gone, if no notice comes.
_LOOK: Final = 0.5
#: Entries that are noted together; more of them would be sent later, fewer would cost more round trips.
_TOGETHER: Final = 200
#: Entries that are written together, between two looks at the lease.
_WRITTEN: Final = 1000
#: What the admission of a tick is called, beside those of chords.
_TICK: Final = "beat"


class _Due(NamedTuple):
    """What is to be sent of one entry, and what is noted before that."""

    entry: ScheduleEntry
    moments: list[datetime]
    state: RunState


class StoreScheduler(Scheduler):
    """Entries of the configuration, and those that were added to the store.

    A beat that does not lead knows all entries as well, so that it has only to read when they ran when it takes over.
    Before its task is sent each run is noted under the leader's lock, and after it was sent again.  Whoever takes over
    sends what was noted and perhaps not sent, with the same task id, of which the broker keeps one.
    """

    max_interval = 5.0

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        self.stored = StoredSchedule(app)
        self._leadership = Leadership(self.stored.store, f"{self.stored.base}:leader")
        #: The token under which this beat leads.
        self._token: int | None = None
        #: Runs that a predecessor noted and perhaps did not send.
        self._unsent: dict[str, RunState] = {}
        self._monotonic_looked = 0.0
        self._mark: bytes | None = b"not looked"
        #: The versions of the entries that are known here, and where each comes from.
        self._versions: dict[str, float] = {}
        self._version = float("-inf")
        #: Names of entries that were removed, which the leader takes out of the store.
        self._gone: set[str] = set()
        self._known: dict[str, Stored] = {}
        self._notices: Any = None
        self._store_outage = Outage("the store of schedules")
        #: Whether of two messages with the same id the broker keeps one; where it does not, the worker runs one.
        self._broker_decides = bool(getattr(app.broker_transport, "publishes_once", False))
        super().__init__(app, *args, **kwargs)

    @property
    def leads(self) -> bool:
        """Whether this beat is the one that sends."""
        return self._token is not None

    def faults(self) -> list[str]:
        fault = self._store_outage.fault
        return super().faults() if fault is None else [*super().faults(), fault]

    def setup_schedule(self) -> None:
        entries = {name: self._entry_of(name, given) for name, given in (self.app.conf.beat_schedule or {}).items()}
        self._configured = {name: fields_of(entry) for name, entry in entries.items()}

    # -- ticking ------------------------------------------------------------------------------------------------------

    def tick(self) -> float:
        try:
            self._follow_changes()
            seconds = self._tick_as_leader() if self._lead() and self._send_unsent() else _LOOK
        except StoreUnavailable as error:
            self._store_outage.tell(error)
            self._resign()
            return _LOOK
        self._store_outage.over()
        self.monotonic_last_tick = time.monotonic()
        return seconds

    def _tick_as_leader(self) -> float:
        if self._gone:
            for name in self.stored.forget(self._gone):
                self._versions.pop(name, None)
            self._gone.clear()
        return min(super().tick(), RENEWAL)

    def _lead(self) -> bool:
        token = self._leadership.token()
        if token is not None and token == self._token:
            return True
        if self._token is not None:
            logger.warning("beat: another beat leads now")
        self._token = None
        # Not before all is read does it lead.
        if token is None or not self._take_over(token):
            return False
        self._token = token
        logger.info("beat: leading, with token %d", token)
        return True

    def _resign(self) -> None:
        self._token = None
        self._leadership.doubt()

    def _take_over(self, token: int) -> bool:
        # All of it: of what was removed the name may be gone as well, before this beat has seen that.
        self._gone.update(self.stored.being_forgotten())
        self._look_for_changes(whole=True)
        self._publish_configuration()
        self._look_for_changes()
        states = self.stored.states(self.data)
        self._unsent = {name: state for name, state in states.items() if state.sending}
        self._heap_invalidated = True
        return self._date(self.data, states, token)

    def _publish_configuration(self) -> None:
        """Have the entries of the configuration in the store as they are in this program."""
        changed = {}
        for name, given in self._configured.items():
            stored = self._known.get(name)
            # Who paused it, decides.
            fields = given if stored is None else {**given, "enabled": stored.fields.get("enabled", True)}
            if stored is None or stored.fields != fields:
                changed[name] = Stored(fields, CONFIGURED)
        for some in _portions(list(changed), _WRITTEN):
            self.stored.put_all({name: changed[name] for name in some})
            self._leadership.token()  # the lease is renewed on the way
        for name in [name for name, one in self._known.items() if one.source == CONFIGURED]:
            if name not in self._configured:
                self.stored.remove(name)

    def _send_unsent(self) -> bool:
        """Send what a predecessor may not have sent, before anything else; whether that is done."""
        if not self._unsent:
            return True
        if self._seconds_away() > 0:
            return False
        for name, state in self._unsent.items():
            first = state.total_run_count - len(state.sending)
            task_ids = [self.stored.task_id(name, run, n) for n, run in enumerate(state.sending, first)]
            known = self.app.backend.fetch(task_ids)
            for task_id in task_ids:
                if task_id not in known and name in self.data and not self._send_run(self.data[name], task_id):
                    return False
        if not self._note({name: state._replace(sending=()) for name, state in self._unsent.items()}):
            return False
        self._unsent = {}
        return True

    # -- changes ------------------------------------------------------------------------------------------------------

    def _follow_changes(self) -> None:
        if time.monotonic() - self._monotonic_looked >= _LOOK / 2:
            self._look_for_changes()

    def _look_for_changes(self, whole: bool = False) -> None:
        self._monotonic_looked = time.monotonic()
        mark = self.stored.mark()
        if mark == self._mark and not whole:
            return
        found = self.stored.changes(float("-inf") if whole else self._version)
        names = [name for name, version in found.items() if self._versions.get(name) != version]
        if whole:
            names += self._versions.keys() - found.keys()
        resumed = self._load(names)
        if self._token is not None:
            self._date(names, self.stored.states(names), self._token, resumed)
            for name in names:
                if (entry := self.data.get(name)) is not None and entry.enabled:
                    self._push(entry, self._delay_of(entry))
        self._versions = found if whole else {**self._versions, **found}
        self._version = max([self._version, *found.values()])
        self._gone.update(name for name in names if name not in self._known)
        self._mark = mark

    def _load(self, names: Iterable[str]) -> set[str]:
        """Read entries as they are now; those that were paused and go on."""
        stored, resumed = self.stored.read(names), set()
        for name in names:
            before = self.data.pop(name, None)
            self._known.pop(name, None)
            if (found := stored.get(name)) is None:
                continue
            self._known[name] = found
            try:
                entry = self.data[name] = self.stored.entry(name, found)
            except Exception as error:  # noqa: BLE001  # whatever somebody has put there, all others go on
                logger.error("beat: the entry %r of the store is left out: %s", name, error)
                continue
            if before is not None and entry.enabled and not before.enabled:
                resumed.add(name)
        return resumed

    def _date(self, names: Iterable[str], states: dict[str, RunState], token: int, resumed: Iterable[str] = ()) -> bool:
        """Tell entries when they ran last; whether this beat still leads.

        What never ran, or was paused, counts from now on, and that is noted: its successor counts from there as well.
        """
        now, fresh = wall.now(), {}
        for name in names:
            entry = self.data.get(name)
            if entry is None:
                continue
            state = states.get(name)
            if state is None or name in resumed:
                state = fresh[name] = RunState(now, 0 if state is None else state.total_run_count)
            entry.last_run_at = counted_from(entry.schedule, state.last_run_at, now)
            entry.total_run_count = state.total_run_count
        return not fresh or self.stored.note(self._leadership.lock, token, fresh)

    # -- sending ------------------------------------------------------------------------------------------------------

    def _look_at_all(self, entries: list[ScheduleEntry]) -> None:
        for some in _portions(entries, _TOGETHER):
            self._look_at_some([entry for entry in some if self._is_current(entry)])

    def _look_at_some(self, entries: Iterable[ScheduleEntry]) -> None:
        looked, due = [], []
        for entry in entries:
            look = Look(None, 0.0, wall.now()) if self._seconds_away() > 0 else self._look(entry)
            looked.append((entry.name, look))
            if look.runs is not None:
                due.append(_due(entry, look.runs, look.now))
        self._send_all(due)
        for name, look in looked:
            self._push_next(self.data[name], look.runs is not None, look.seconds)

    def _send_due(self, entry: ScheduleEntry, runs: list[datetime], now: datetime | None = None) -> ScheduleEntry:
        self._send_all([_due(entry, runs, now or entry.default_now())])
        following: ScheduleEntry = self.data[entry.name]
        return following

    def _send_all(self, due: Sequence[_Due]) -> None:
        """Note what is about to be sent, send it, and note that it was."""
        # A tick with much to send takes longer than a lease.
        if not due or self._token is None or not self._note({one.entry.name: one.state for one in due}):
            return
        self._note({one.entry.name: self._sent(one) for one in due})

    def _note(self, states: dict[str, RunState]) -> bool:
        """Keep states, if this beat still leads; whether it does."""
        token = self._leadership.token()
        if token is None or token != self._token or not self.stored.note(self._leadership.lock, token, states):
            self._resign()
            return False
        return True

    def _sent(self, due: _Due) -> RunState:
        """Send the runs of an entry; its state after that."""
        entry = due.entry
        for run in due.moments:
            task_id = self.stored.task_id(entry.name, run, entry.total_run_count)
            if self._seconds_away() > 0 or not self._send_run(entry, task_id):
                return RunState(entry.last_run_at.astimezone(UTC), entry.total_run_count)
            entry = self.reserve(entry, run)
        if not due.moments:
            logger.info("Scheduler: %s (%s) was missed, and is left out", entry.name, entry.task)
            self.reserve(entry, due.state.last_run_at)
        return due.state._replace(sending=())

    def _send_run(self, entry: ScheduleEntry, task_id: str) -> bool:
        sent = copy.copy(entry)
        sent.options = {**entry.options, "task_id": task_id}
        if self._broker_decides:
            sent.options["publish_once"] = True
        else:
            sent.options["headers"] = {**(entry.options.get("headers") or {}), ADMISSION: mark_of(_TICK)}
        return self.apply_entry(sent)

    # -- waiting, and the end -----------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        monotonic_deadline = time.monotonic() + seconds
        while not self._woken.is_set() and (left := monotonic_deadline - time.monotonic()) > 0:
            try:
                if self._notices is None:
                    self._notices = self.stored.store.listen(self.stored.channel)
                if self._notices.wait(min(left, _LOOK)):
                    self._monotonic_looked = 0.0
                    break
            except StoreUnavailable:
                if self._notices is not None:
                    self._notices.close()
                self._woken.wait(min(left, _LOOK))
            if self.leads:
                break
        self._woken.clear()

    def close(self) -> None:
        if self._token is not None:
            self._token = None
            try:
                self._leadership.release()
            except StoreUnavailable as error:
                logger.warning("beat: another beat leads only when the lease of this one is over: %s", error)
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    @property
    def info(self) -> str:
        return f"    . store -> {self.app.backend.as_uri()}"


def _due(entry: ScheduleEntry, runs: Iterable[datetime], now: datetime) -> _Due:
    moments = [run.astimezone(UTC) for run in runs]
    last = moments[-1] if moments else now.astimezone(UTC)
    return _Due(entry, moments, RunState(last, entry.total_run_count + len(moments), tuple(moments)))


def _portions(whole: list[Any], size: int) -> Iterable[list[Any]]:
    return (whole[start : start + size] for start in range(0, len(whole), size))
