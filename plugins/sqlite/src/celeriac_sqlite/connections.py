"""Connections to one file that are used for a moment and then by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from celeriac_sqlite.database import Database

if TYPE_CHECKING:
    from pathlib import Path

    from celeriac_sqlite.options import FileOptions

_MOST_IDLE: Final = 4


class Connections:
    """Opening one costs as much as several transactions, so a few are kept; may be used from any thread."""

    def __init__(self, path: Path, options: FileOptions) -> None:
        self.path = path
        self._options = options
        self._idle: list[Database] = []

    def lend(self) -> Database:
        """A connection for one user at a time.  Raises StorageError."""
        try:
            found = self._idle.pop()
        except IndexError:
            return Database(self.path, self._options)
        # In a child after a fork it is the parent's.
        return found if found.usable else self.lend()

    def give_back(self, database: Database) -> None:
        """End one's use."""
        if database.usable and len(self._idle) < _MOST_IDLE:
            self._idle.append(database)
        else:
            database.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop().close()
