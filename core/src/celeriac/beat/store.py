"""The scheduler that shares its schedule through a store: of several beats one leads, and another takes over."""

from __future__ import annotations

import copy
import logging
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from celeriac.beat.scheduler import Scheduler
from celeriac.beat.stored import CONFIGURED, RunState, Stored, StoredSchedule, fields_of
from celeriac.exceptions import CeleryError, StoreUnavailable

if TYPE_CHECKING:
    from celeriac.beat.entry import ScheduleEntry

logger = logging.getLogger("celeriac.beat")

#: Seconds for which a leader that says nothing still leads, and between two words of it.
LEASE: Final = 6.0
_RENEWAL: Final = 1.5
#: Seconds between two looks at whether there are changes, or the leader is gone, if no notice comes.
_LOOK: Final = 0.5
#: So many changes may be written at the same time.
_LATE: Final = 100


class StoreScheduler(Scheduler):
    """Entries of the configuration, and those that were added to the store.

    Before its task is sent each run is noted under the leader's lock, and after it was sent again.  Whoever takes over
    sends what was noted and perhaps not sent, with the same task id.
    """

    max_interval = 5.0

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        self.stored = StoredSchedule(app)
        self._lock = f"{self.stored.base}:leader"
        self._owner = f"{os.uname().nodename}:{os.getpid()}:{uuid4().hex[:8]}"
        self._token: int | None = None
        self._monotonic_renewed = 0.0
        self._monotonic_looked = 0.0
        #: The versions of the entries that are known here.
        self._versions: dict[str, float] = {}
        self._notices: Any = None
        super().__init__(app, *args, **kwargs)

    @property
    def leads(self) -> bool:
        """Whether this beat is the one that sends."""
        return self._token is not None

    def setup_schedule(self) -> None:
        self._configured = {
            name: self._entry_of(name, given) for name, given in (self.app.conf.beat_schedule or {}).items()
        }

    # -- ticking ------------------------------------------------------------------------------------------------------

    def tick(self) -> float:
        try:
            if not self._lead():
                self.monotonic_last_tick = time.monotonic()
                return _LOOK
            self._follow_changes()
            return min(super().tick(), _RENEWAL)
        except StoreUnavailable as error:
            logger.error("beat: the store of schedules is out of reach, trying again: %s", error)
            self._resign()
            return _LOOK

    def _lead(self) -> bool:
        now = time.monotonic()
        if self._token is not None and now - self._monotonic_renewed < _RENEWAL:
            return True
        token = self.stored.store.acquire_lock(self._lock, self._owner, LEASE)
        if token is None:
            if self._token is not None:
                logger.warning("beat: another beat leads now")
            self._resign()
            return False
        self._monotonic_renewed = now
        if token != self._token:
            self._resign()
            # Not before all is read does it lead.
            self._take_over(token)
            self._token = token
            logger.info("beat: leading, with token %d", token)
        return True

    def _hold(self) -> None:
        """Renew the lease on the way of taking over, which takes seconds where there are many entries."""
        now = time.monotonic()
        if now - self._monotonic_renewed >= _RENEWAL:
            self.stored.store.acquire_lock(self._lock, self._owner, LEASE)
            self._monotonic_renewed = now

    def _renewed(self) -> int | None:
        """The token, if this beat still leads; renews the lease when it is time."""
        now = time.monotonic()
        if self._token is not None and now - self._monotonic_renewed >= _RENEWAL:
            if self.stored.store.acquire_lock(self._lock, self._owner, LEASE) == self._token:
                self._monotonic_renewed = now
            else:
                self._resign()
        return self._token

    def _resign(self) -> None:
        self._token = None

    def _take_over(self, token: int) -> None:
        self._publish_configuration()
        self.data = {}
        self._versions = self.stored.changes()
        self._load(list(self._versions), token)
        unsent = {name: state for name, state in self.stored.states(self.data).items() if state.sending}
        for name, state in unsent.items():
            known = self.app.backend.fetch([self.stored.task_id(name, run) for run in state.sending])
            for run in state.sending:
                if self.stored.task_id(name, run) not in known:
                    self._send_run(self.data[name], run)
        self.stored.note(self._lock, token, {name: state._replace(sending=()) for name, state in unsent.items()})

    def _publish_configuration(self) -> None:
        """Have the entries of the configuration in the store as they are in this program."""
        known, changed = self.stored.all(), {}
        for name, entry in self._configured.items():
            self._hold()
            fields = fields_of(entry)
            stored = known.get(name)
            if stored is not None:
                fields["enabled"] = stored.fields.get("enabled", True)  # who paused it, decides
            if stored is None or stored.fields != fields:
                changed[name] = Stored(fields, CONFIGURED)
        self.stored.put_all(changed)
        for name, stored in known.items():
            if stored.source == CONFIGURED and name not in self._configured:
                self.stored.remove(name)

    # -- changes ------------------------------------------------------------------------------------------------------

    def _follow_changes(self) -> None:
        now = time.monotonic()
        if now - self._monotonic_looked < _LOOK / 2:
            return
        self._monotonic_looked = now
        found = self.stored.changes(max(self._versions.values(), default=0.0) - _LATE)
        names = [name for name, version in found.items() if self._versions.get(name) != version]
        if names and self._token is not None:
            self._versions.update(found)
            self._load(names, self._token)

    def _load(self, names: list[str], token: int) -> None:
        """Read entries as they are now."""
        self._heap_invalidated = True
        stored, states = self.stored.read(names), self.stored.states(names)
        fresh: dict[str, RunState] = {}
        for name in names:
            self._hold()
            known = stored.get(name)
            if known is None:
                self.data.pop(name, None)
                continue
            try:
                entry = self.stored.entry(name, known)
            except (CeleryError, ValueError, TypeError, KeyError) as error:
                logger.error("beat: the entry %r of the store is left out: %s", name, error)
                continue
            state, before = states.get(name), self.data.get(name)
            if state is None or (before is not None and entry.enabled and not before.enabled):
                # From now on: its successor counts from there as well.
                now = entry.default_now().astimezone(UTC)
                state = fresh[name] = RunState(now, 0 if state is None else state.total_run_count)
            entry.last_run_at = min(state.last_run_at, entry.default_now())
            entry.total_run_count = state.total_run_count
            self.data[name] = entry
        if fresh:
            self.stored.note(self._lock, token, fresh)

    # -- sending ------------------------------------------------------------------------------------------------------

    def _send_due(self, entry: ScheduleEntry, runs: list[datetime], now: datetime | None = None) -> ScheduleEntry:
        # A tick with much to send takes longer than a lease.
        token = self._renewed()
        if token is None:
            return entry
        moments = [run.astimezone(UTC) for run in runs]
        last = moments[-1] if moments else (now or entry.default_now()).astimezone(UTC)
        state = RunState(last, entry.total_run_count + len(moments), tuple(moments))
        if not self.stored.note(self._lock, token, {entry.name: state}):
            self._resign()
            return entry
        for run in moments:
            if not self._send_run(entry, run):
                state = RunState(entry.last_run_at.astimezone(UTC), entry.total_run_count)
                break
            entry = self.reserve(entry, run)
        if not moments:
            return self.reserve(entry, last)
        self.stored.note(self._lock, token, {entry.name: state._replace(sending=())})
        return entry

    def _send_run(self, entry: ScheduleEntry, run: datetime) -> bool:
        sent = copy.copy(entry)
        sent.options = {**entry.options, "task_id": self.stored.task_id(entry.name, run)}
        return self.apply_entry(sent)

    # -- waiting, and the end -----------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        if self._notices is None:
            self._notices = self.stored.store.listen(self.stored.channel)
        monotonic_deadline = time.monotonic() + seconds
        while not self._woken.is_set() and (left := monotonic_deadline - time.monotonic()) > 0:
            try:
                if self._notices.wait(min(left, _LOOK)):
                    self._monotonic_looked = 0.0
                    break
            except StoreUnavailable:
                self._notices.close()
                self._woken.wait(min(left, _LOOK))
            if self.leads:
                break
        self._woken.clear()

    def close(self) -> None:
        if self._token is not None:
            self.stored.store.release_lock(self._lock, self._owner)
            self._resign()
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    @property
    def info(self) -> str:
        return f"    . store -> {self.app.backend.as_uri()}"
