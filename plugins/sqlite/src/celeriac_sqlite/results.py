"""The table of results."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from celeriac_sqlite.schema import RESULTS

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database

#: Variables of one statement; old builds of SQLite take 999.
_AT_ONCE: Final = 500

_STORE: Final = (
    "INSERT INTO result (seq, task_id, status, expires, content_type, content_encoding, payload)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (task_id) DO UPDATE SET seq = excluded.seq, status = excluded.status, expires = excluded.expires,"
    " content_type = excluded.content_type, content_encoding = excluded.content_encoding, payload = excluded.payload"
    " WHERE result.status <> 'SUCCESS' OR result.expires <= ?"
)


class Payload(NamedTuple):
    """An encoded meta."""

    task_id: str
    content_type: str
    content_encoding: str
    data: bytes


class NewResult(NamedTuple):
    """A result on its way into the table; `expires` in seconds since the epoch."""

    status: str
    expires: float | None
    payload: Payload


def store(database: Database, results: Sequence[NewResult]) -> None:
    """Store all in order, in one transaction; a SUCCESS that has not expired stays."""
    with database:
        write(database, results)


def write(database: Database, results: Sequence[NewResult]) -> None:
    """The same, within the caller's transaction."""
    now = time.time()
    numbers = database.next_ids(RESULTS, len(results))
    database.executemany(
        _STORE,
        [
            (number, payload.task_id, status, expires, *payload[1:], now)
            for number, (status, expires, payload) in zip(numbers, results, strict=True)
        ],
    )


def fetch(database: Database, task_ids: Iterable[str]) -> list[Payload]:
    """The results of those tasks that have one, in the order in which they were stored."""
    found: list[tuple[int, Payload]] = []
    now = time.time()
    for some in _portions(task_ids):
        places = ", ".join("?" * len(some))
        rows = database.rows(
            "SELECT seq, task_id, content_type, content_encoding, payload FROM result"  # noqa: S608  # question marks
            f" WHERE task_id IN ({places}) AND (expires IS NULL OR expires > ?)",
            (*some, now),
        )
        found.extend((row[0], Payload(*row[1:])) for row in rows)
    return [payload for _, payload in sorted(found)]


def last_change(database: Database) -> int:
    """The number of the latest change."""
    return int(database.rows("SELECT value FROM sequence WHERE name = ?", (RESULTS,))[0][0])


def changed_since(database: Database, number: int) -> list[str]:
    """The ids of the tasks whose results have changed after the change `number`."""
    return [task_id for (task_id,) in database.rows("SELECT task_id FROM result WHERE seq > ?", (number,))]


def changed_among(database: Database, number: int, task_ids: Collection[str]) -> list[str]:
    """Those of a few tasks whose results have changed after the change `number`."""
    places = ", ".join("?" * len(task_ids))
    rows = database.rows(
        f"SELECT task_id FROM result WHERE task_id IN ({places}) AND seq > ?",  # noqa: S608  # question marks
        (*task_ids, number),
    )
    return [task_id for (task_id,) in rows]


def delete(database: Database, task_ids: Collection[str]) -> None:
    """Forget results."""
    with database:
        database.executemany("DELETE FROM result WHERE task_id = ?", [(task_id,) for task_id in task_ids])


def delete_expired(database: Database, most: int = 500) -> int:
    """Remove what nobody can see any more, up to `most`; how many.  Few at a time: meanwhile nobody else can write."""
    with database:
        return database.execute(
            "DELETE FROM result WHERE seq IN (SELECT seq FROM result WHERE expires <= ? LIMIT ?)", (time.time(), most)
        ).rowcount


def _portions(task_ids: Iterable[str]) -> Iterable[list[str]]:
    ids = list(task_ids)
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
