"""One connection to the file: opening it, short write transactions, and waiting for one's turn."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from celeriac_sqlite import schema
from celeriac_sqlite.errors import StorageBusy, StorageError, explain, is_busy
from celeriac_sqlite.inherited import belongs_to_this_process, opening, release
from celeriac_sqlite.place import prepare_directory

if TYPE_CHECKING:
    from celeriac_sqlite.options import FileOptions

T = TypeVar("T")

#: Upserts and row values; any SQLite since 2018 has them.
_OLDEST: Final = (3, 24, 0)
#: The pause before the first new try for the lock, doubled up to the longest; in seconds. SQLite's own
#: handler begins with 1 ms and goes up to 100, and a transaction here takes less than either.
_FIRST_PAUSE: Final = 0.00005
_LONGEST_PAUSE: Final = 0.001
#: Pages of 4 KiB in the log before it is copied into the file.
_CHECKPOINT_PAGES: Final = 4000
_LOG_LIMIT_BYTES: Final = 64 * 1024 * 1024
_CACHE_KIB: Final = 4096
_GONE: Final = "was opened by the process that this one was forked from; close it and open a new one"


class Database:
    """A connection, and a context manager: ``with database:`` is one write transaction.

    Used by one thread at a time; of no use in a child after a fork, where every call raises.
    Raises StorageError, which names the file and the remedy.
    """

    def __init__(self, path: Path, options: FileOptions) -> None:
        self.path = path
        self.options = options
        #: How many transactions were undone; what was remembered of one may be wrong.
        self.rollbacks = 0
        self._usable = True
        self._connection = _opened(path, options)
        self._inode = _inode(path)
        self.execute = self._connection.execute
        self.executemany = self._connection.executemany
        #: For those who forget `close`.
        connection = self._connection
        self._release = release(self, partial(_close, connection), lambda: connection)
        belongs_to_this_process(self)

    # -- reading ----------------------------------------------------------------------------------

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query outside of a transaction."""
        try:
            return self.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            if not is_busy(error):
                raise explain(error, self.path) from error
        # In WAL mode a reader is only ever held up by recovery or by the last process closing the file.
        return _patiently(lambda: self.execute(sql, parameters).fetchall(), self.path, self.options.busy_timeout)

    def version(self) -> int:
        """A number that differs after another connection has committed something; costs no lock."""
        return int(self.rows("PRAGMA data_version")[0][0])

    # -- writing ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._connection.in_transaction:  # a signal's exception came between BEGIN and the block
            self._roll_back()
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if not is_busy(error):
                raise explain(error, self.path) from error
            _patiently(lambda: self.execute("BEGIN IMMEDIATE"), self.path, self.options.busy_timeout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self.execute("COMMIT")
            except sqlite3.Error as failed:
                self._roll_back()
                raise explain(failed, self.path) from failed
            return
        self._roll_back()
        if isinstance(error, sqlite3.Error):
            raise explain(error, self.path) from error

    def _roll_back(self) -> None:
        self.rollbacks += 1
        # Some errors (disk full) have rolled back already.
        if self._connection.in_transaction:
            self.execute("ROLLBACK")

    def next_ids(self, name: str, count: int) -> range:
        """`count` new numbers of a counter, within a transaction."""
        ((last,),) = self.execute("SELECT value FROM sequence WHERE name = ?", (name,))
        self.execute("UPDATE sequence SET value = ? WHERE name = ?", (last + count, name))
        return range(last + 1, last + count + 1)

    def was_removed(self) -> bool:
        """Whether the path leads to another file by now, or to none: then others do not see what is written here."""
        return _inode(self.path) != self._inode

    @property
    def usable(self) -> bool:
        """False once it is closed, or in a child that inherited it."""
        return self._usable

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection; harmless when repeated and in a child that inherited it."""
        self._usable = False
        self.execute = self.executemany = self._closed
        self._release()

    def disown(self) -> sqlite3.Connection:
        """Called in a child: give up the connection without closing it, which would break the parent's."""
        self._release.detach()
        inherited, self._connection = self._connection, _NoConnection()  # type: ignore[assignment]  # closes alike
        self._usable = False
        self.execute = self.executemany = self._inherited
        return inherited

    def _closed(self, *_: Any) -> Any:
        raise StorageError(f"SQLite file {self.path} was closed")

    def _inherited(self, *_: Any) -> Any:
        raise StorageError(f"SQLite file {self.path} {_GONE}")


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


class _NoConnection:
    """Stands where the parent's connection was."""

    in_transaction = False

    def close(self) -> None:
        return None


def _patiently(attempt: Callable[[], T], path: Path, seconds: float) -> T:
    """Repeat `attempt` until it is not refused because of another process' lock."""
    monotonic_deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        # Jitter, so that those who wait do not come back together.
        time.sleep(pause * (0.5 + random.random()))  # noqa: S311  # no secret
        pause = min(pause * 2, _LONGEST_PAUSE)
        try:
            return attempt()
        except sqlite3.Error as error:
            if not is_busy(error):
                raise explain(error, path) from error
            if time.monotonic() >= monotonic_deadline:
                raise StorageBusy(
                    f"SQLite file {path} was locked by other processes for {seconds:g} s; find the one that holds it"
                    f" (fuser -v {path}) or raise sqlite_busy_timeout"
                ) from error


def _opened(path: Path, options: FileOptions) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StorageError(
            f"SQLite {sqlite3.sqlite_version} is too old; celeriac-sqlite needs {'.'.join(map(str, _OLDEST))}"
        )
    connection = None
    try:
        prepare_directory(path)
        _make_private(path)
        with opening:
            connection = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        _patiently_or_at_once(lambda: _prepare(connection, path, options), path, options.busy_timeout)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise explain(error, path) from error
        raise
    return connection


def _close(connection: sqlite3.Connection) -> None:
    with opening:
        connection.close()


def _patiently_or_at_once(attempt: Callable[[], None], path: Path, seconds: float) -> None:
    try:
        attempt()
    except sqlite3.Error as error:
        if not is_busy(error):
            raise
        _patiently(attempt, path, seconds)


def _make_private(path: Path) -> None:
    """Make a file that only its user can read, before SQLite makes one that all can: it holds arguments of tasks."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:  # it is there already, or SQLite is about to fail and explains better
        return


def _prepare(connection: sqlite3.Connection, path: Path, options: FileOptions) -> None:
    execute = connection.execute
    if connection.in_transaction:  # an earlier try was refused half way
        execute("ROLLBACK")
    exists = schema.check(connection, path)
    if not exists:  # it can be chosen for a new file only; see `space`
        execute("PRAGMA auto_vacuum = INCREMENTAL")
    if execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StorageError(
            f"SQLite file {path} cannot be used by several processes there: its file system has no shared memory"
            " (a network file system?); name a file on a local disk"
        )
    execute(f"PRAGMA synchronous = {'FULL' if options.durability == 'power' else 'NORMAL'}")
    execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    execute(f"PRAGMA journal_size_limit = {_LOG_LIMIT_BYTES}")
    execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    if exists:
        return
    execute("BEGIN IMMEDIATE")
    if not schema.check(connection, path):  # another process may have been first
        schema.create(connection)
    execute("COMMIT")
