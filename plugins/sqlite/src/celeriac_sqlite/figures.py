"""What waits in the queues of a file."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from celeriac.contracts import QueueFigures

if TYPE_CHECKING:
    from celeriac_sqlite.database import Database

_EXISTS = (
    "SELECT EXISTS (SELECT 1 FROM queue WHERE name = ?1) OR EXISTS (SELECT 1 FROM message WHERE queue = ?1)"
    " OR EXISTS (SELECT 1 FROM ready WHERE queue = ?1)"
)
_COUNTS = (
    "SELECT (SELECT count(*) FROM ready WHERE queue = ?1),"
    " (SELECT count(*) FROM delayed WHERE queue = ?1 AND eta > ?2),"
    " (SELECT count(*) FROM delayed WHERE queue = ?1 AND eta <= ?2),"
    " (SELECT count(*) FROM claim JOIN message USING (id) WHERE message.queue = ?1),"
    " (SELECT min(message.sent) FROM ready JOIN message USING (id) WHERE ready.queue = ?1),"
    " (SELECT min(eta) FROM delayed WHERE queue = ?1 AND eta > ?2)"
)


def figures_in(database: Database, queues: Collection[str]) -> dict[str, QueueFigures]:
    """The figures of those of the queues that are there."""
    now = time.time()
    found = {}
    for queue in queues:
        ((exists,),) = database.rows(_EXISTS, (queue,))
        if not exists:
            continue
        ((ready, held, late, claimed, sent, eta),) = database.rows(_COUNTS, (queue, now))
        oldest = None if sent is None else max(0.0, now - sent)
        due = None if eta is None else eta - now
        found[queue] = QueueFigures(ready + late, held, claimed, oldest, due=due)
    return found
