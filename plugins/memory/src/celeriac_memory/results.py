"""The results of one in-memory store: what all backends of an address in this process share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Final

from celeriac.contracts import Turn
from celeriac_memory import ownership
from celeriac_memory.chords import Chords, Member

#: The state, as the wire has it, that no later one replaces.
SUCCESS: Final = "SUCCESS"


@dataclass(frozen=True, slots=True)
class Record:
    """One encoded result; `expires` is on the monotonic clock, None for never."""

    task_id: str
    state: str
    content_type: str
    data: bytes
    expires: float | None


class ResultStore(ownership.Owned):
    """Records by task id, and who waits for which.  Thread-safe."""

    def __init__(self, address: str) -> None:
        super().__init__(ownership.results_at(address))
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._expiries: list[tuple[float, str]] = []
        self._watches: dict[str, list[Watch]] = {}
        self._chords = Chords()
        self._groups: dict[str, Record] = {}

    def put(self, records: Sequence[Record]) -> None:
        """Keep all, in order, unless there is a SUCCESS already, and wake whoever waits for one of them."""
        self.check_owner()
        with self._lock:
            self._sweep()
            for record in records:
                present = self._records.get(record.task_id)
                if present is not None and present.state == SUCCESS:
                    continue
                self._records[record.task_id] = record
                if record.expires is not None:
                    heappush(self._expiries, (record.expires, record.task_id))
                for watch in self._watches.get(record.task_id, ()):
                    watch.changed[record.task_id] = None
                    watch.condition.notify_all()

    def get(self, task_ids: Iterable[str]) -> list[Record]:
        """The records of those tasks that have one."""
        self.check_owner()
        with self._lock:
            self._sweep()
            return [record for task_id in task_ids if (record := self._records.get(task_id)) is not None]

    def delete(self, task_ids: Iterable[str]) -> None:
        """Forget the records."""
        self.check_owner()
        with self._lock:
            for task_id in task_ids:
                self._records.pop(task_id, None)

    def sweep(self) -> None:
        """Drop what has expired; `put` and `get` do so as well."""
        self.check_owner()
        with self._lock:
            self._sweep()

    def _sweep(self) -> None:
        now = time.monotonic()
        self._chords.sweep(now)
        if self._groups:  # few are saved, if any
            self._groups = {
                group_id: record
                for group_id, record in self._groups.items()
                if record.expires is None or record.expires > now
            }
        while self._expiries and self._expiries[0][0] <= now:
            expires, task_id = heappop(self._expiries)
            record = self._records.get(task_id)
            if record is not None and record.expires == expires:  # not one that was replaced since
                del self._records[task_id]

    # -- groups -------------------------------------------------------------------------------------------------------

    def put_group(self, record: Record) -> None:
        """Keep the group, in the place of one of the same id."""
        self.check_owner()
        with self._lock:
            self._groups[record.task_id] = record

    def get_group(self, group_id: str) -> Record | None:
        """The group, if it is there and has not expired."""
        self.check_owner()
        with self._lock:
            self._sweep()
            return self._groups.get(group_id)

    def delete_group(self, group_id: str) -> None:
        """Forget the group."""
        self.check_owner()
        with self._lock:
            self._groups.pop(group_id, None)

    # -- chords -------------------------------------------------------------------------------------------------------

    def start_chord(self, group_id: str, size: int, body: dict[str, Any] | None, expires: float | None) -> None:
        """So many parts complete the chord, unless it is known already."""
        self.check_owner()
        with self._lock:
            self._sweep()
            self._chords.start(group_id, size, body, expires)

    def grow_chord(self, group_id: str, count: int, expires: float | None) -> None:
        """More parts complete the chord."""
        self.check_owner()
        with self._lock:
            self._chords.find(group_id, expires).extra += count

    def put_with_parts(
        self, records: Sequence[Record], members: Iterable[tuple[str, Member]], expires: float | None
    ) -> dict[str, Turn]:
        """`put`, and parts of chords; what that has led to."""
        with self._lock:
            self.put(records)
            now = time.monotonic()
            turns: dict[str, Turn] = {}
            for group_id, member in members:
                turn = self._chords.find(group_id, expires).add(member, now)
                if turn is not None and turns.get(group_id) is not Turn.CLAIMED:
                    turns[group_id] = turn
            return turns

    def claim_chord(self, group_id: str) -> Turn | None:
        """Whose turn it is to call the body."""
        self.check_owner()
        with self._lock:
            chord = self._chords.get(group_id)
            return None if chord is None else chord.claim(time.monotonic())

    def read_chord(self, group_id: str) -> tuple[dict[str, Any] | None, list[Member]]:
        """The body, and the parts in the order of the header."""
        self.check_owner()
        with self._lock:
            chord = self._chords.get(group_id)
            return (None, []) if chord is None else (chord.body, chord.in_order())

    def end_chords(self, group_ids: Iterable[str]) -> None:
        """Their bodies have been called."""
        self.check_owner()
        with self._lock:
            for group_id in group_ids:
                chord = self._chords.get(group_id)
                if chord is not None:
                    chord.end()

    def admit(self, call: str, token: str, expires: float | None) -> bool:
        """Whether the message with that token is the one that runs the call."""
        self.check_owner()
        with self._lock:
            self._sweep()
            return self._chords.admit(call, token, expires)

    # -- waiting ------------------------------------------------------------------------------------------------------

    def open_watch(self) -> Watch:
        """A watch on no task yet."""
        self.check_owner()
        return Watch(threading.Condition(self._lock), {}, set())

    def widen(self, watch: Watch, task_ids: Iterable[str]) -> None:
        """Watch these as well; those that have a record count as changed."""
        self.check_owner()
        with self._lock:
            for task_id in task_ids:
                if task_id not in watch.task_ids:
                    watch.task_ids.add(task_id)
                    self._watches.setdefault(task_id, []).append(watch)
                    if task_id in self._records:
                        watch.changed[task_id] = None

    def narrow(self, watch: Watch, task_ids: Iterable[str]) -> None:
        """No longer watch these."""
        self.check_owner()
        with self._lock:
            for task_id in watch.task_ids.intersection(task_ids):
                watch.task_ids.discard(task_id)
                watch.changed.pop(task_id, None)
                self._leave(watch, task_id)

    def _leave(self, watch: Watch, task_id: str) -> None:
        others = [other for other in self._watches[task_id] if other is not watch]
        if others:
            self._watches[task_id] = others
        else:
            del self._watches[task_id]

    def wake(self, watch: Watch) -> None:
        """End the present wait, or the next one, without news."""
        with watch.condition:
            watch.woken = True
            watch.condition.notify_all()

    def changes(self, watch: Watch, timeout: float | None) -> list[Record]:
        """The records that have changed since the last call; waits for one up to `timeout` seconds, None for ever."""
        self.check_owner()
        with watch.condition:
            watch.condition.wait_for(lambda: watch.changed or watch.closed or watch.woken, timeout)
            watch.woken = False
            changed, watch.changed = watch.changed, {}
            return self.get(changed)

    def close_watch(self, watch: Watch) -> None:
        """End the watch, and whoever waits on it; tolerates twice, and a forked child."""
        if not self.is_here:
            return
        with watch.condition:
            watch.closed = True
            watch.condition.notify_all()
            for task_id in watch.task_ids:
                self._leave(watch, task_id)
            watch.task_ids.clear()


@dataclass(slots=True, eq=False)
class Watch:
    """What one waiter waits for, and what of it has changed, oldest first."""

    condition: threading.Condition
    changed: dict[str, None]
    task_ids: set[str]
    closed: bool = False
    woken: bool = False


_stores: Final[dict[str, ResultStore]] = {}


def results_at(address: str) -> ResultStore:
    """The store of that address, the same one for every caller in this process; lives as long as the process."""
    # setdefault is atomic: no lock that a forked child could find held for ever.
    return _stores.get(address) or _stores.setdefault(address, ResultStore(address))
