"""The store primitives, for the processes of one machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from celeriac.contracts import Notices, StorePrimitives

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database

T = TypeVar("T")
_Use = Callable[[Callable[["Database"], T]], T]

#: Seconds between two looks at whether there is a notice.
_LOOK: Final = 0.1
#: Keys of one query.
_AT_ONCE: Final = 500


class SqlitePrimitives(StorePrimitives):
    """The part of the store that is no results."""

    def _use(self, operation: Callable[[Database], T]) -> T:
        raise NotImplementedError  # the backend's

    def get_values(self, keys: Sequence[str]) -> dict[str, bytes]:
        def read(database: Database) -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                found.update(
                    database.rows(
                        f"SELECT key, value FROM entry WHERE key IN ({marks}) AND (expires IS NULL OR expires > ?)",  # noqa: S608  # question marks only
                        (*some, time.time()),
                    )
                )
            return found

        return self._use(read)

    def set_values(self, values: Mapping[str, bytes], expires: float | None = None) -> None:
        def write(database: Database) -> None:
            with database:
                for key, value in values.items():
                    _put(database, key, value, expires)

        self._use(write)

    def compare_and_set(
        self, key: str, expected: bytes | None, value: bytes | None, expires: float | None = None
    ) -> bool:
        def write(database: Database) -> bool:
            with database:
                found = database.execute(
                    "SELECT value FROM entry WHERE key = ? AND (expires IS NULL OR expires > ?)", (key, time.time())
                ).fetchone()
                if (None if found is None else found[0]) != expected:
                    return False
                _put(database, key, value, expires)
                return True

        return self._use(write)

    def delete_values(self, keys: Sequence[str]) -> None:
        def write(database: Database) -> None:
            with database:
                database.executemany("DELETE FROM entry WHERE key = ?", [(key,) for key in keys])

        self._use(write)

    def increment(self, name: str, by: int = 1) -> int:
        def write(database: Database) -> int:
            with database:
                return _count(database, name, by)

        return self._use(write)

    def add_members(self, name: str, members: Mapping[str, float]) -> None:
        rows = [(name, member, score) for member, score in members.items()]

        def write(database: Database) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO member (name, member, score) VALUES (?, ?, ?)", rows)

        self._use(write)

    def remove_members(self, name: str, members: Sequence[str]) -> None:
        def write(database: Database) -> None:
            with database:
                database.executemany(
                    "DELETE FROM member WHERE name = ? AND member = ?", [(name, each) for each in members]
                )

        self._use(write)

    def members_between(
        self, name: str, lowest: float, highest: float, limit: int | None = None
    ) -> list[tuple[str, float]]:
        return self._use(
            lambda database: database.rows(
                "SELECT member, score FROM member WHERE name = ? AND score BETWEEN ? AND ?"
                " ORDER BY score, member LIMIT ?",
                (name, lowest, highest, -1 if limit is None else limit),
            )
        )

    def acquire_lock(self, name: str, owner: str, seconds: float) -> int | None:
        def write(database: Database) -> int | None:
            with database:
                holder, token, is_held = _lock(database, name)
                if is_held and holder != owner:
                    return None
                token += not is_held
                database.execute(
                    "INSERT OR REPLACE INTO lock (name, owner, token, until, seconds) VALUES (?, ?, ?, ?, ?)",
                    (name, owner, token, time.monotonic() + seconds, seconds),
                )
                return token

        return self._use(write)

    def release_lock(self, name: str, owner: str) -> bool:
        def write(database: Database) -> bool:
            with database:
                holder, _, is_held = _lock(database, name)
                if not is_held or holder != owner:
                    return False
                database.execute("UPDATE lock SET until = 0 WHERE name = ?", (name,))
                return True

        return self._use(write)

    def set_fenced(self, name: str, token: int, values: Mapping[str, bytes | None]) -> bool:
        def write(database: Database) -> bool:
            with database:
                if _lock(database, name)[1] != token:
                    return False
                for key, value in values.items():
                    _put(database, key, value, None)
                return True

        return self._use(write)

    def notify(self, channel: str) -> None:
        self.increment(f"notice:{channel}")

    def listen(self, channel: str) -> Notices:
        return SqliteNotices(self._use, channel)


class SqliteNotices(Notices):
    """Looks at a counter: cheap, since an unchanged file is told from a changed one without reading it."""

    def __init__(self, use: _Use[int], channel: str) -> None:
        self._use = use
        self._name = f"notice:{channel}"
        self._seen = self._count()

    def wait(self, timeout: float) -> bool:
        monotonic_deadline = time.monotonic() + timeout
        while (count := self._count()) == self._seen:
            left = monotonic_deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, _LOOK))
        self._seen = count
        return True

    def close(self) -> None:
        return None

    def _count(self) -> int:
        def read(database: Database) -> int:
            rows = database.rows("SELECT value FROM sequence WHERE name = ?", (f"counter:{self._name}",))
            return int(rows[0][0]) if rows else 0

        return self._use(read)


def delete_expired(database: Database, most: int = 200) -> int:
    """Remove values whose time has passed, up to `most`; how many."""
    with database:
        found = database.execute("SELECT key FROM entry WHERE expires <= ? LIMIT ?", (time.time(), most)).fetchall()
        database.executemany("DELETE FROM entry WHERE key = ?", found)
        return len(found)


def take_once(database: Database, name: str, seconds: float) -> bool:
    """Whether nobody has taken the name within so many seconds; to be called within a transaction.

    Some of those whose time has passed are removed on the way: a file that is only a broker has no other cleaner.
    """
    now = time.time()
    database.execute("DELETE FROM entry WHERE rowid IN (SELECT rowid FROM entry WHERE expires <= ? LIMIT 3)", (now,))
    key = f"once:{name}"
    database.execute("DELETE FROM entry WHERE key = ? AND expires <= ?", (key, now))
    taken = database.execute(
        "INSERT OR IGNORE INTO entry (key, value, expires) VALUES (?, x'', ?)", (key, now + seconds)
    )
    return bool(taken.rowcount)


def _put(database: Database, key: str, value: bytes | None, expires: float | None) -> None:
    if value is None:
        database.execute("DELETE FROM entry WHERE key = ?", (key,))
        return
    end = None if expires is None else time.time() + expires
    database.execute("INSERT OR REPLACE INTO entry (key, value, expires) VALUES (?, ?, ?)", (key, value, end))


def _count(database: Database, name: str, by: int) -> int:
    own = f"counter:{name}"
    database.execute("INSERT OR IGNORE INTO sequence (name, value) VALUES (?, 0)", (own,))
    database.execute("UPDATE sequence SET value = value + ? WHERE name = ?", (by, own))
    ((value,),) = database.execute("SELECT value FROM sequence WHERE name = ?", (own,))
    return int(value)


def _lock(database: Database, name: str) -> tuple[str, int, bool]:
    """Owner, token, and whether it is held."""
    found = database.execute("SELECT owner, token, until, seconds FROM lock WHERE name = ?", (name,)).fetchone()
    if found is None:
        return "", 0, False
    owner, token, until, seconds = found
    # The monotonic clock is the same for all processes, and begins anew when the machine does: then more is left than
    # there ever was.
    return owner, token, 0 < until - time.monotonic() <= seconds
