"""The store primitives, for the threads of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from celeriac.contracts import Notices, StorePrimitives
from celeriac_memory import ownership


class Shelf(ownership.Owned):
    """The values, counters, sets and locks of one address; times are on the monotonic clock."""

    def __init__(self, address: str) -> None:
        super().__init__(ownership.results_at(address))
        self.changed = threading.Condition()
        self.values: dict[str, tuple[bytes, float | None]] = {}
        self.counters: dict[str, int] = {}
        self.sets: dict[str, dict[str, float]] = {}
        #: Owner, token, and the end of the holding.
        self.locks: dict[str, tuple[str, int, float]] = {}
        self.notices: dict[str, int] = {}

    def get(self, key: str) -> bytes | None:
        """The value, unless it has expired."""
        value, end = self.values.get(key, (None, None))
        if end is not None and end <= time.monotonic():
            del self.values[key]
            return None
        return value

    def put(self, key: str, value: bytes | None, expires: float | None = None) -> None:
        """Keep the value, or forget it."""
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = (value, None if expires is None else time.monotonic() + expires)


class MemoryPrimitives(StorePrimitives):
    """The part of the in-memory store that is no results."""

    _shelf: Shelf

    def get_values(self, keys: Sequence[str]) -> dict[str, bytes]:
        self._shelf.check_owner()
        with self._shelf.changed:
            return {key: value for key in keys if (value := self._shelf.get(key)) is not None}

    def set_values(self, values: Mapping[str, bytes], expires: float | None = None) -> None:
        self._shelf.check_owner()
        with self._shelf.changed:
            for key, value in values.items():
                self._shelf.put(key, value, expires)

    def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes | None, expires: float | None = None
    ) -> bool:
        self._shelf.check_owner()
        with self._shelf.changed:
            if self._shelf.get(key) != expected:
                return False
            self._shelf.put(key, value, expires)
            return True

    def delete_values(self, keys: Sequence[str]) -> None:
        self._shelf.check_owner()
        with self._shelf.changed:
            for key in keys:
                self._shelf.put(key, None)

    def increment(self, name: str, by: int = 1) -> int:
        self._shelf.check_owner()
        with self._shelf.changed:
            count = self._shelf.counters[name] = self._shelf.counters.get(name, 0) + by
            return count

    def add_members(self, name: str, members: Mapping[str, float]) -> None:
        self._shelf.check_owner()
        with self._shelf.changed:
            self._shelf.sets.setdefault(name, {}).update(members)

    def remove_members(self, name: str, members: Sequence[str]) -> None:
        self._shelf.check_owner()
        with self._shelf.changed:
            found = self._shelf.sets.get(name, {})
            for member in members:
                found.pop(member, None)

    def members_between(
        self, name: str, lowest: float, highest: float, limit: int | None = None
    ) -> list[tuple[str, float]]:
        self._shelf.check_owner()
        with self._shelf.changed:
            found = list(self._shelf.sets.get(name, {}).items())
        inside = [(member, score) for member, score in found if lowest <= score <= highest]
        return sorted(inside, key=lambda each: (each[1], each[0]))[:limit]

    def acquire_lock(self, name: str, owner: str, seconds: float) -> int | None:
        self._shelf.check_owner()
        with self._shelf.changed:
            now = time.monotonic()
            holder, token, end = self._shelf.locks.get(name, ("", 0, now))
            if end > now and holder != owner:
                return None
            token += end <= now
            self._shelf.locks[name] = (owner, token, now + seconds)
            return token

    def release_lock(self, name: str, owner: str) -> bool:
        self._shelf.check_owner()
        with self._shelf.changed:
            now = time.monotonic()
            holder, token, end = self._shelf.locks.get(name, ("", 0, now))
            if end <= now or holder != owner:
                return False
            self._shelf.locks[name] = (owner, token, now)
            return True

    def set_fenced(self, name: str, token: int, values: Mapping[str, bytes | None]) -> bool:
        self._shelf.check_owner()
        with self._shelf.changed:
            if self._shelf.locks.get(name, ("", 0, 0.0))[1] != token:
                return False
            for key, value in values.items():
                self._shelf.put(key, value)
            return True

    def notify(self, channel: str) -> None:
        self._shelf.check_owner()
        with self._shelf.changed:
            self._shelf.notices[channel] = self._shelf.notices.get(channel, 0) + 1
            self._shelf.changed.notify_all()

    def listen(self, channel: str) -> Notices:
        self._shelf.check_owner()
        return MemoryNotices(self._shelf, channel)


class MemoryNotices(Notices):
    """Woken by the thread that notifies."""

    def __init__(self, shelf: Shelf, channel: str) -> None:
        self._shelf = shelf
        self._channel = channel
        self._seen = shelf.notices.get(channel, 0)

    def wait(self, timeout: float) -> bool:
        self._shelf.check_owner()
        with self._shelf.changed:
            news = self._shelf.changed.wait_for(lambda: self._count() != self._seen, timeout)
            self._seen = self._count()
            return news

    def close(self) -> None:
        return None

    def _count(self) -> int:
        return self._shelf.notices.get(self._channel, 0)


_shelves: Final[dict[str, Shelf]] = {}


def shelf_at(address: str) -> Shelf:
    """The one of that address, the same for every caller in this process."""
    return _shelves.get(address) or _shelves.setdefault(address, Shelf(address))
