"""What SQLite's errors mean and what mends them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from kombu.exceptions import OperationalError


class StorageError(OperationalError):
    """The queue file cannot be used."""


class StorageBusy(StorageError):
    """Other processes kept the queue file locked for longer than sqlite_busy_timeout."""


#: PROTOCOL: another process changed the log's header each time that this one read it.
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

#: Primary result code -> what happened and what to do.
_MEANINGS: Final = {
    sqlite3.SQLITE_READONLY: "is not writable by user {user}; give this user write permission on the file and on its"
    " directory (SQLite keeps two more files beside it), or name another file in broker_url and result_backend",
    sqlite3.SQLITE_PERM: "is not accessible to user {user}; give this user read and write permission on the file",
    sqlite3.SQLITE_FULL: "cannot grow, because the disk is full; free some space on the disk that holds it, then try"
    " again (what was stored before is intact)",
    sqlite3.SQLITE_NOTADB: "is not an SQLite file; name another file in broker_url and result_backend, or move this"
    " one away",
    sqlite3.SQLITE_CORRUPT: "is damaged; stop all processes that use it, save what can be saved with"
    " `sqlite3 {path} .recover`, and move it away: a new one is made at the next start",
    sqlite3.SQLITE_IOERR: "could not be read or written; check the disk that holds it (a network file system cannot"
    " hold it: WAL mode needs shared memory)",
    sqlite3.SQLITE_TOOBIG: "cannot take a message of that size (1 GB at most); store the data elsewhere and send where"
    " it is",
}


def is_busy(error: sqlite3.Error) -> bool:
    """Whether trying again may help."""
    return _primary(error) in _BUSY


def explain(error: sqlite3.Error, path: Path) -> StorageError:
    """The error to raise in place of SQLite's: it names the file and the remedy."""
    code = _primary(error)
    if code in _BUSY:
        return StorageBusy(f"SQLite file {path} is locked by another process ({error})")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StorageError(f"SQLite file {path} {_why_not_opened(path)}")
    meaning = _MEANINGS.get(code)
    if meaning is None:
        return StorageError(f"SQLite file {path}: {error}")
    return StorageError(f"SQLite file {path} {meaning.format(user=_user(), path=path)} ({error})")


def _primary(error: sqlite3.Error) -> int:
    # The extended code has the primary one in its lowest byte. Errors of the module itself have none.
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def _why_not_opened(path: Path) -> str:
    parent = path.parent
    if path.is_dir():
        return "cannot be opened, because that is a directory; name a file in it"
    if not parent.exists():
        return f"cannot be made, because there is no directory {parent}; make it (mkdir -p {parent}) or name another"
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return f"is not writable by user {_user()}; give this user read and write permission on the file"
    if not os.access(parent, os.W_OK | os.X_OK):
        return (
            f"cannot be made, because directory {parent} is not writable by user {_user()}; give this user write"
            " permission on it, or name another file in broker_url and result_backend"
        )
    return "cannot be opened; check its permissions and the limit of open files (ulimit -n)"


def _user() -> str:
    getuid = getattr(os, "geteuid", None)
    return str(getuid()) if getuid is not None else os.environ.get("USERNAME", "?")
