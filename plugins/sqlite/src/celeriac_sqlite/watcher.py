"""Waiting for results."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from kombu.exceptions import OperationalError

from celeriac.contracts import ResultWatcher
from celeriac.exceptions import StoreUnavailable
from celeriac_sqlite import results
from celeriac_sqlite.payload import decoded
from celeriac_sqlite.wake import SAFETY_NET, Listener

if TYPE_CHECKING:
    from celeriac_sqlite.connections import Connections
    from celeriac_sqlite.database import Database


#: Up to so many tasks are looked up by their ids; more by reading what has changed.
_FEW: Final = 50


class SqliteResultWatcher(ResultWatcher):
    """Woken by whoever stores results; reads what has changed in one query, however many tasks are watched."""

    shareable: ClassVar[bool] = True

    def __init__(self, app: Any, connections: Connections) -> None:
        self._app = app
        self._woken = False
        self._connections = connections
        self._watched: set[str] = set()
        self._unread: set[str] = set()
        # Before the first look, or a change between them would be missed.
        self._listener = Listener(connections.path, "r")
        self._database: Database | None = None
        try:
            self._database = connections.lend()
            self._version = self._database.version()
            self._seen = results.last_change(self._database)
        except BaseException:
            self.close()
            raise

    def add(self, task_ids: Iterable[str]) -> None:
        new = set(task_ids) - self._watched
        self._watched |= new
        self._unread |= new

    def discard(self, task_ids: Iterable[str]) -> None:
        gone = set(task_ids)
        self._watched -= gone
        self._unread -= gone

    def wake(self) -> None:
        self._woken = True
        self._listener.ring()

    def wait(self, timeout: float | None) -> list[dict[str, Any]]:
        if self._database is None:
            raise StoreUnavailable("this watcher was closed")
        monotonic_deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                found = self._news(self._database)
                if found:
                    return [decoded(self._app, payload) for payload in found]
                left = None if monotonic_deadline is None else monotonic_deadline - time.monotonic()
                if self._woken or (left is not None and left <= 0):
                    self._woken = False
                    return []
                self._listener.wait(SAFETY_NET if left is None else min(left, SAFETY_NET))
        except OperationalError as error:
            raise StoreUnavailable(f"the result store is out of reach: {error}") from error

    def _news(self, database: Database) -> list[results.Payload]:
        version = database.version()
        if version != self._version:
            self._unread |= self._changed(database)
            self._version = version
        if not self._unread:
            return []
        found = results.fetch(database, self._unread)
        self._unread = set()  # not before: had that failed, the next call reads them
        return found

    def _changed(self, database: Database) -> set[str]:
        last = results.last_change(database)
        if last == self._seen:
            return set()
        before, self._seen = self._seen, last
        if len(self._watched) > _FEW:
            return self._watched.intersection(results.changed_since(database, before))
        return set(results.changed_among(database, before, self._watched))

    def close(self) -> None:
        self._listener.close()
        database, self._database = self._database, None
        if database is not None:
            self._connections.give_back(database)
