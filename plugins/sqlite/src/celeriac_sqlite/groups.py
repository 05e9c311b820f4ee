"""The table of groups: which results belong together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from celeriac_sqlite.results import Payload

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database


def store(database: Database, payload: Payload, expires: float | None) -> None:
    """Keep the group, in the place of one of the same id; `expires` in seconds since the epoch."""
    with database:
        database.execute("INSERT OR REPLACE INTO taskset VALUES (?, ?, ?, ?, ?)", (payload[0], expires, *payload[1:]))


def fetch(database: Database, group_id: str) -> Payload | None:
    """The group, if it is there and has not expired."""
    rows = database.rows(
        "SELECT id, content_type, content_encoding, payload FROM taskset"
        " WHERE id = ? AND (expires IS NULL OR expires > ?)",
        (group_id, time.time()),
    )
    return Payload(*rows[0]) if rows else None


def delete(database: Database, group_id: str) -> None:
    """Forget the group."""
    with database:
        database.execute("DELETE FROM taskset WHERE id = ?", (group_id,))


def delete_expired(database: Database, most: int = 500) -> int:
    """Remove what nobody can see any more, up to `most`; how many."""
    with database:
        return database.execute(
            "DELETE FROM taskset WHERE id IN (SELECT id FROM taskset WHERE expires <= ? LIMIT ?)", (time.time(), most)
        ).rowcount
