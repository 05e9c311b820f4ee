"""The result store driver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kombu.exceptions import OperationalError

from celeriac.contracts import Backend, ChordPart, ChordStore, NewChord, ResultWatcher, StoredResult, Turn
from celeriac.exceptions import StoreUnavailable
from celeriac.protocol.json import dumps, loads
from celeriac_sqlite import chords, groups, primitives, results, space
from celeriac_sqlite.connections import Connections
from celeriac_sqlite.options import options_of
from celeriac_sqlite.payload import decoded, encoded
from celeriac_sqlite.place import path_of
from celeriac_sqlite.primitives import SqlitePrimitives
from celeriac_sqlite.wake import Bell
from celeriac_sqlite.watcher import SqliteResultWatcher

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database

T = TypeVar("T")


class SqliteBackend(SqlitePrimitives, Backend, ChordStore):
    """Results in one SQLite file, which may be the broker's.

    Threads share one connection and take turns; each watcher has its own.
    """

    def __init__(self, app: Any, url: str) -> None:
        super().__init__(app, url)
        self.path: Path = path_of(url, getattr(app, "main", None))
        self._connections = Connections(self.path, options_of(app))
        self._lock = threading.RLock()
        self._database: Database | None = None
        self._bell: Bell | None = None

    def store(self, results_: Sequence[StoredResult]) -> None:
        if not results_:
            return
        new = self._new(results_)
        self._use(lambda database: results.store(database, new))
        if self._bell is not None:
            self._bell.ring()

    def _new(self, results_: Sequence[StoredResult]) -> list[results.NewResult]:
        now = time.time()
        return [
            results.NewResult(one.state, self._expiry(one.expires, now), encoded(self.app, one.task_id, one.meta))
            for one in results_
        ]

    def fetch(self, task_ids: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        found = self._use(lambda database: results.fetch(database, task_ids))
        return {payload.task_id: decoded(self.app, payload) for payload in found}

    def delete(self, task_ids: Sequence[str]) -> None:
        self._use(lambda database: results.delete(database, task_ids))

    def store_group(self, group_id: str, meta: dict[str, Any], expires: float | None = None) -> None:
        payload = encoded(self.app, group_id, meta)
        kept = self._expiry(expires, time.time())
        self._use(lambda database: groups.store(database, payload, kept))

    def fetch_group(self, group_id: str) -> dict[str, Any] | None:
        payload = self._use(lambda database: groups.fetch(database, group_id))
        return None if payload is None else decoded(self.app, payload)

    def delete_group(self, group_id: str) -> None:
        self._use(lambda database: groups.delete(database, group_id))

    # -- chords ---------------------------------------------------------------------------------------

    def start_chords(self, chords_: Sequence[NewChord]) -> None:
        new = [(one.group_id, one.size, self._body(one.body), self._chord_expiry(one.expires)) for one in chords_]
        self._use(lambda database: chords.start(database, new))

    def grow_chord(self, group_id: str, count: int = 1) -> None:
        self._use(lambda database: chords.grow(database, group_id, count, self._chord_expiry(None)))

    def store_with_parts(self, results_: Sequence[StoredResult], parts: Sequence[ChordPart]) -> dict[str, Turn]:
        new = self._new(results_)
        members = [
            chords.Part(part.group_id, part.place, part.state, encoded(self.app, part.task_id, part.result))
            for part in parts
        ]
        turns = self._use(lambda database: chords.store_with_parts(database, new, members, self._chord_expiry(None)))
        if self._bell is not None and new:
            self._bell.ring()
        return turns

    def claim_chord(self, group_id: str) -> Turn | None:
        return self._use(lambda database: chords.claim(database, group_id))

    def read_chord(self, group_id: str) -> tuple[dict[str, Any] | None, list[tuple[str, str, Any]]]:
        body, parts = self._use(lambda database: chords.read(database, group_id))
        found = [(payload.task_id, state, decoded(self.app, payload)) for state, payload in parts]
        return None if body is None else loads(body), found

    def end_chords(self, group_ids: Sequence[str]) -> None:
        self._use(lambda database: chords.end(database, group_ids))

    def admit(self, call: str, token: str) -> bool:
        return self._use(lambda database: chords.admit(database, call, token, self._chord_expiry(None)))

    @staticmethod
    def _body(body: dict[str, Any] | None) -> bytes | None:
        return None if body is None else dumps(body)

    def _chord_expiry(self, seconds: float | None) -> float | None:
        return self._expiry(self.app.conf.result_chord_expires if seconds is None else seconds, time.time())

    # -- waiting, and the end of things -------------------------------------------------------------

    def watch(self) -> ResultWatcher:
        try:
            return SqliteResultWatcher(self.app, self._connections)
        except OperationalError as error:
            raise StoreUnavailable(f"the result store is out of reach: {error}") from error

    def cleanup(self) -> None:
        while self.clean_some():
            continue

    def clean_some(self) -> bool:
        """Remove a few hundred expired results, or some of the room they took.

        Whether there may be more.  Raises StoreUnavailable.
        """
        removed = self._use(results.delete_expired) + self._use(groups.delete_expired)
        removed += self._use(primitives.delete_expired)
        removed += self._use(chords.delete_expired)
        return removed > 0 or self._use(space.give_back) > 0

    def after_fork(self) -> None:
        # The connection was disowned in the fork; the lock may have been held by a thread that is not here.
        self._lock = threading.RLock()
        self._database = self._bell = None

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
            self._connections.close()
            if self._bell is not None:
                self._bell.close()
            self._database = self._bell = None

    def _use(self, operation: Callable[[Database], T]) -> T:
        with self._lock:
            try:
                if self._database is None:
                    self._database = self._connections.lend()
                    self._bell = Bell(self.path, "r")
                return operation(self._database)
            except OperationalError as error:
                raise StoreUnavailable(f"the result store is out of reach: {error}") from error

    def _expiry(self, seconds: float | None, now: float) -> float | None:
        """When a result disappears; None for never, as for a `result_expires` of None or 0."""
        kept: Any = self.app.conf.result_expires if seconds is None else seconds
        if isinstance(kept, timedelta):
            kept = kept.total_seconds()
        return now + kept if kept else None
