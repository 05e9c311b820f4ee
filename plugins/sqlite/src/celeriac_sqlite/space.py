"""Room in the file that nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database

#: Free pages (of 4 KiB) that are left in the file, for what is written next.
_KEPT: Final = 2000
#: Pages that are given back at a time: meanwhile nobody else can write.
_AT_ONCE: Final = 500


def give_back(database: Database) -> int:
    """Give free pages back to the file system; how many.  None in a file that was made without that in mind."""
    free: int = database.rows("PRAGMA freelist_count")[0][0]
    if free <= _KEPT:
        return 0
    database.rows(f"PRAGMA incremental_vacuum({min(_AT_ONCE, free - _KEPT)})")
    left: int = database.rows("PRAGMA freelist_count")[0][0]
    return free - left
