"""The tables of chords: how many parts complete one, and the parts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from celeriac.contracts import CLAIM_SECONDS, Turn
from celeriac_sqlite import results as result_table
from celeriac_sqlite.results import NewResult, Payload

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database


class Part(NamedTuple):
    """A part on its way into the table; `payload` has the task's id."""

    group_id: str
    place: int | None
    state: str
    payload: Payload


class Known(NamedTuple):
    """What the table says of a chord."""

    #: Parts that complete it; None while nobody has said how many.
    wanted: int | None
    have: int
    #: Seconds since the epoch; None where nobody has claimed it.
    claimed: float | None
    is_done: bool


def start(database: Database, chords: Sequence[tuple[str, int, bytes | None, float | None]]) -> None:
    """Keep id, size, body and expiry of new chords."""
    with database:
        database.executemany(
            "INSERT INTO chord (id, size, body, expires) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET size = excluded.size, body = excluded.body WHERE size IS NULL",
            chords,
        )


def grow(database: Database, group_id: str, count: int, expires: float | None) -> None:
    """More parts complete it."""
    with database:
        _make(database, group_id, expires)
        database.execute("UPDATE chord SET extra = extra + ? WHERE id = ?", (count, group_id))


def store_with_parts(
    database: Database, results: Sequence[NewResult], parts: Sequence[Part], expires: float | None
) -> dict[str, Turn]:
    """Results and parts in one transaction; what the parts have led to."""
    turns: dict[str, Turn] = {}
    with database:
        result_table.write(database, results)
        came_again: dict[str, bool] = {}
        for part in parts:
            if part.group_id not in came_again:
                _make(database, part.group_id, expires)
                came_again[part.group_id] = False
            if not _add(database, part):
                came_again[part.group_id] = True
        for group_id, again in came_again.items():
            turn = _claim(database, group_id)
            # A new part beyond the last one is of no interest to anybody; one that came again is a sign of trouble.
            if turn is Turn.CLAIMED or (turn is Turn.BUSY and again):
                turns[group_id] = turn
    return turns


def claim(database: Database, group_id: str) -> Turn | None:
    """Whose turn it is to call the body."""
    with database:
        return _claim(database, group_id)


def read(database: Database, group_id: str) -> tuple[bytes | None, list[tuple[str, Payload]]]:
    """The body, and state and value of the parts in the order of the header."""
    bodies = database.rows("SELECT body FROM chord WHERE id = ?", (group_id,))
    rows = database.rows(
        "SELECT state, task_id, content_type, content_encoding, payload FROM chord_part"
        " WHERE chord = ? ORDER BY place IS NULL, place, id",
        (group_id,),
    )
    return bodies[0][0] if bodies else None, [(row[0], Payload(*row[1:])) for row in rows]


def end(database: Database, group_ids: Sequence[str]) -> None:
    """Their bodies have been sent: only that is remembered."""
    ids = [(group_id,) for group_id in group_ids]
    with database:
        database.executemany("UPDATE chord SET done = 1, body = NULL WHERE id = ?", ids)
        database.executemany("DELETE FROM chord_part WHERE chord = ?", ids)


def admit(database: Database, call: str, token: str, expires: float | None) -> bool:
    """Whether the token is the first that was asked for."""
    with database:
        database.execute("INSERT OR IGNORE INTO chord_admission VALUES (?, ?, ?)", (call, token, expires))
        found = database.execute("SELECT token FROM chord_admission WHERE call = ?", (call,)).fetchone()
        return bool(found[0] == token)


def delete_expired(database: Database, most: int = 20) -> int:
    """Remove what nobody will complete any more, up to `most` of each kind; how many."""
    with database:
        now = time.time()
        found = database.execute("SELECT id FROM chord WHERE expires <= ? LIMIT ?", (now, most)).fetchall()
        database.executemany("DELETE FROM chord_part WHERE chord = ?", found)
        database.executemany("DELETE FROM chord WHERE id = ?", found)
        admissions = database.execute(
            "DELETE FROM chord_admission WHERE call IN (SELECT call FROM chord_admission WHERE expires <= ? LIMIT ?)",
            (now, most),
        )
        return len(found) + admissions.rowcount


def _make(database: Database, group_id: str, expires: float | None) -> None:
    database.execute("INSERT OR IGNORE INTO chord (id, expires) VALUES (?, ?)", (group_id, expires))


def _add(database: Database, part: Part) -> bool:
    """Whether the part is new; none is kept of a chord that is done."""
    added = database.execute(
        "INSERT OR IGNORE INTO chord_part (chord, place, state, task_id, content_type, content_encoding, payload)"
        " SELECT id, ?, ?, ?, ?, ?, ? FROM chord WHERE id = ? AND NOT done",
        (part.place, part.state, *part.payload, part.group_id),
    ).rowcount
    if added:
        database.execute("UPDATE chord SET parts = parts + 1 WHERE id = ?", (part.group_id,))
    return bool(added)


def _claim(database: Database, group_id: str) -> Turn | None:
    known = _find(database, group_id)
    if known is None or known.is_done or known.wanted is None or known.have < known.wanted:
        return None
    now = time.time()
    # A clock that was set back must not keep a chord claimed for ever.
    if known.claimed is not None and 0 <= now - known.claimed < CLAIM_SECONDS:
        return Turn.BUSY
    database.execute("UPDATE chord SET claimed = ? WHERE id = ?", (now, group_id))
    return Turn.CLAIMED


def _find(database: Database, group_id: str) -> Known | None:
    found = database.execute(
        "SELECT size + extra, parts, claimed, done FROM chord WHERE id = ?", (group_id,)
    ).fetchone()
    return None if found is None else Known(found[0], found[1], found[2], bool(found[3]))
