"""Taking messages out of the file, and telling what became of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from celeriac_sqlite import owners
from celeriac_sqlite.envelope import COLUMNS
from celeriac_sqlite.runs import runs_of

if TYPE_CHECKING:
    from types import TracebackType

    from celeriac.contracts import Settlements
    from celeriac_sqlite.database import Database

logger = logging.getLogger("celeriac.sqlite")

#: At least so many messages that have become due are put among the ready ones at a time.
_DUE_AT_ONCE: Final = 500
_LOST_AT_ONCE: Final = 1000

_UP_TO: Final = "FROM ready WHERE queue = ? AND (rank, id) <= (?, ?)"
_RETURN: Final = (
    "INSERT INTO ready SELECT m.queue, m.rank, c.id, c.deliveries - ? FROM claim c JOIN message m ON m.id = c.id"
    " WHERE c.id BETWEEN ? AND ?"
)
_UNCLAIM: Final = "DELETE FROM claim WHERE id BETWEEN ? AND ?"
_FORGET: Final = "DELETE FROM message WHERE id BETWEEN ? AND ?"
_BEGIN: Final = "UPDATE claim SET begun = 1 WHERE id BETWEEN ? AND ?"

Row = tuple[Any, ...]


class Claims:
    """The claims of one owner on messages of some queues, and a context manager: ``with claims:`` is a transaction.

    What is remembered here of a transaction that fails is forgotten with it, so that it can be tried again.
    """

    def __init__(self, database: Database, queues: Sequence[str]) -> None:
        self.database = database
        self._owner: int | None = None
        self._open: set[int] = set()
        #: What this transaction adds to the open claims and takes from them.
        self._taken: set[int] = set()
        self._settled: set[int] = set()
        self._before: tuple[int | None, set[int]] = (None, set())
        self.queues = list(dict.fromkeys(queues))

    def __enter__(self) -> Self:
        self.database.__enter__()
        self._taken, self._settled = set(), set()
        self._before = self._owner, self._open
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        committed = False
        try:
            self.database.__exit__(kind, error, traceback)
            committed = error is None
        finally:
            if committed:
                self._open -= self._settled
                self._open |= self._taken
            else:
                self._owner, self._open = self._before

    def watch(self, queue: str) -> None:
        """Take messages of this queue too."""
        if queue not in self.queues:
            self.queues.append(queue)

    def watch_no_more(self, queue: str) -> None:
        """Take no more messages of this queue; open claims stay."""
        if queue in self.queues:
            self.queues.remove(queue)

    # -- looking, without a lock ------------------------------------------------------------------

    def waiting(self, queues: Sequence[str] | None = None) -> bool:
        """Whether there is anything to take now, from these queues or from all."""
        now = time.time()
        for queue in self.queues if queues is None else queues:
            if self.database.rows(
                "SELECT EXISTS (SELECT 1 FROM ready WHERE queue = ?)"
                " OR EXISTS (SELECT 1 FROM delayed WHERE queue = ? AND eta <= ?)",
                (queue, queue, now),
            )[0][0]:
                return True
        return False

    def next_due(self, queues: Sequence[str] | None = None) -> float | None:
        """When the next message that is held back becomes due, in seconds since the epoch."""
        found = [
            eta
            for queue in (self.queues if queues is None else queues)
            for (eta,) in self.database.rows("SELECT min(eta) FROM delayed WHERE queue = ?", (queue,))
            if eta is not None
        ]
        return min(found, default=None)

    # -- owning -----------------------------------------------------------------------------------

    def owner(self) -> int:
        """The number of the owner, whose lease has not run out; within a transaction."""
        if self._owner is None:
            self._owner = owners.register(self.database)
        elif not owners.is_registered(self.database, self._owner):
            self._resume()
        return self._owner

    def renew(self) -> None:
        """Extend the lease; within a transaction."""
        if self._owner is None or not owners.renew(self.database, self._owner):
            self.owner()

    @property
    def known_owner(self) -> int | None:
        """The number of the owner, if it has registered."""
        return self._owner

    def _resume(self) -> None:
        """Take back what others have released and nobody has taken: the lease ran out, and yet this process lives."""
        execute, executemany = self.database.execute, self.database.executemany
        before = len(self._open)
        self._owner = owners.register(self.database)
        runs = runs_of(self._open)
        executemany(
            "INSERT INTO claim SELECT r.id, ?, 0, r.deliveries FROM message m JOIN ready r"
            " ON r.queue = m.queue AND r.rank = m.rank AND r.id = m.id WHERE m.id BETWEEN ? AND ?",
            [(self._owner, *run) for run in runs],
        )
        execute(
            "DELETE FROM ready WHERE (queue, rank, id) IN (SELECT m.queue, m.rank, m.id FROM claim c"
            " JOIN message m ON m.id = c.id WHERE c.owner = ?)",
            (self._owner,),
        )
        executemany(
            "UPDATE claim SET owner = ? WHERE owner IS NULL AND id BETWEEN ? AND ?",
            [(self._owner, *run) for run in runs],
        )
        self._open = {id_ for (id_,) in execute("SELECT id FROM claim WHERE owner = ?", (self._owner,))}
        if not before:
            return
        logger.warning(
            "the lease on %d messages was not renewed in time (was the process stopped, or is the machine overloaded?);"
            " %d of them have been taken by others and may run twice",
            before,
            before - len(self._open),
        )

    def release(self) -> None:
        """Give back what is neither begun nor settled, uncounted, and be no owner any more; within a transaction."""
        if self._owner is not None:
            owners.remove(self.database, self._owner, counted=False)
        self._owner, self._open = None, set()

    # -- taking -----------------------------------------------------------------------------------

    def take(self, limit: int, queues: Sequence[str] | None = None) -> list[Row]:
        """Rows of up to `limit` messages of these queues, or of all, now claimed; best priority first, then oldest.

        Within a transaction.
        """
        owner, now = self.owner(), time.time()
        wanted = self.queues if queues is None else queues
        for queue in wanted:
            self._move_due(queue, now, limit)
        found: list[Row] = []
        while not found:  # again only where all that was found has expired
            taken = [
                row for queue, count in self._shares(wanted, limit) for row in self._take_from(queue, count, owner)
            ]
            if not taken:
                break
            found = self._without_expired(taken, now)
        if len(wanted) > 1:
            found.sort(key=lambda row: (row[-1], row[0]))
        # rank and expires have served
        rows = [row[:-2] for row in found]
        self._note_taken(row[0] for row in rows)
        return rows

    def _move_due(self, queue: str, now: float, limit: int) -> None:
        execute, executemany = self.database.execute, self.database.executemany
        due = execute(
            "SELECT queue, rank, id, deliveries, eta FROM delayed WHERE queue = ? AND eta <= ? ORDER BY eta, id"
            " LIMIT ?",
            (queue, now, max(limit, _DUE_AT_ONCE)),
        ).fetchall()
        if not due:
            return
        executemany("INSERT INTO ready (queue, rank, id, deliveries) VALUES (?, ?, ?, ?)", [row[:4] for row in due])
        execute("DELETE FROM delayed WHERE queue = ? AND (eta, id) <= (?, ?)", (queue, due[-1][4], due[-1][2]))

    def _shares(self, queues: Sequence[str], limit: int) -> list[tuple[str, int]]:
        """How many to take from each queue."""
        if len(queues) == 1:
            return [(queues[0], limit)]
        first = sorted(
            (rank, id_, queue)
            for queue in queues
            for rank, id_ in self.database.execute(
                "SELECT rank, id FROM ready WHERE queue = ? ORDER BY rank, id LIMIT ?", (queue, limit)
            )
        )[:limit]
        counts: dict[str, int] = {}
        for _, _, queue in first:
            counts[queue] = counts.get(queue, 0) + 1
        return list(counts.items())

    def _take_from(self, queue: str, count: int, owner: int) -> list[Row]:
        execute = self.database.execute
        rows: list[Row] = execute(
            f"SELECT {COLUMNS}, r.deliveries, m.expires, r.rank FROM ready r CROSS JOIN message m ON m.id = r.id"  # noqa: S608  # constant
            " WHERE r.queue = ? ORDER BY r.rank, r.id LIMIT ?",
            (queue, count),
        ).fetchall()
        if rows:
            # What was read is a prefix of the queue's order, so one range names it.
            prefix = (queue, rows[-1][-1], rows[-1][0])
            execute(f"INSERT INTO claim SELECT id, ?, 0, deliveries + 1 {_UP_TO}", (owner, *prefix))
            execute(f"DELETE {_UP_TO}", prefix)
        return rows

    def _without_expired(self, rows: list[Row], now: float) -> list[Row]:
        expired = {row[0] for row in rows if row[-2] is not None and row[-2] <= now}
        if not expired:
            return rows
        self._delete(runs_of(expired))
        return [row for row in rows if row[0] not in expired]

    def take_lost(self) -> list[Row]:
        """Rows of begun messages whose owner has died, now this owner's; within a transaction."""
        owner = self.owner()
        places = ", ".join("?" * len(self.queues))
        rows: list[Row] = self.database.execute(
            f"SELECT {COLUMNS}, c.deliveries - 1 FROM claim c JOIN message m ON m.id = c.id"  # noqa: S608  # question marks
            f" WHERE c.owner IS NULL AND m.queue IN ({places}) ORDER BY c.id LIMIT {_LOST_AT_ONCE}",
            self.queues,
        ).fetchall()
        ids = [row[0] for row in rows]
        self.database.executemany("UPDATE claim SET owner = ? WHERE id = ?", [(owner, id_) for id_ in ids])
        self._note_taken(ids)
        return rows

    # -- settling ---------------------------------------------------------------------------------

    def settle(self, batch: Settlements) -> None:
        """Carry out the batch; within a transaction."""
        self.owner()  # or what was taken may not be ours any more
        executemany = self.database.executemany
        if batch.begin:
            executemany(_BEGIN, runs_of(self._mine(batch.begin)))
        if batch.ack:
            self._delete(self._closed(batch.ack))
        if batch.reject:
            self._delete(self._closed(batch.reject))
        if batch.requeue:
            self._give_back(self._closed(batch.requeue), uncounted=1)
        if batch.redeliver:
            self._give_back(self._closed(batch.redeliver), uncounted=0)

    def _closed(self, tags: Iterable[Any]) -> list[tuple[int, int]]:
        ids = self._mine(tags)
        self._taken -= ids
        self._settled |= ids
        return runs_of(ids)

    def _note_taken(self, ids: Iterable[int]) -> None:
        new = set(ids)
        self._settled -= new  # one may have been given back in the same transaction
        self._taken |= new

    def _mine(self, tags: Iterable[Any]) -> set[int]:
        found = self._open.intersection(tags) - self._settled
        return found | self._taken.intersection(tags) if self._taken else found

    def _delete(self, runs: list[tuple[int, int]]) -> None:
        self.database.executemany(_UNCLAIM, runs)
        self.database.executemany(_FORGET, runs)

    def _give_back(self, runs: list[tuple[int, int]], uncounted: int) -> None:
        self.database.executemany(_RETURN, [(uncounted, *run) for run in runs])
        self.database.executemany(_UNCLAIM, runs)
