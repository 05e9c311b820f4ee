"""What waits in the queues of a server."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from json import dumps
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts import QueueFigures
from celeriac_redis.envelope import sent_of
from celeriac_redis.scripts import Script

if TYPE_CHECKING:
    from celeriac_redis.keys import Keys
    from celeriac_redis.link import Link

_notes: Final = Script("notes")


def figures_at(link: Link, keys: Keys, queues: Collection[str]) -> dict[str, QueueFigures]:
    """The figures of those of the queues in which something is, or from which something was taken."""
    names = list(queues)
    held, claimed, due = _noted(link, keys, names)
    found = {}
    for queue in names:
        lists = keys.lists(queue)
        answers = link.ask(*[("LLEN", name) for name in lists], *[("LINDEX", name, -1) for name in lists])
        ready = sum(answers[: len(lists)])
        if ready or held[queue] or claimed[queue]:
            oldest = _age([text for text in answers[len(lists) :] if text])
            until = max(0.0, due[queue] - time.time()) if queue in due else None
            found[queue] = QueueFigures(ready, held[queue], claimed[queue], oldest, due=until)
    return found


def _noted(link: Link, keys: Keys, queues: list[str]) -> tuple[Counter[str], Counter[str], dict[str, float]]:
    """How many messages of each queue are held back and how many are claimed, and when the first of those is due.

    Takes as many steps as there are notes.
    """
    held: Counter[str] = Counter()
    due: dict[str, float] = {}
    claimed: Counter[str] = Counter()
    # Of Celery's notes the last word is the routing key, which is its queue's name unless it was told otherwise.
    tails = [f"{dumps(queue)}]" for queue in queues]
    cursor: Any = "0"
    while queues:
        (answer,) = link.ask(_notes([keys.unacked, keys.eta], cursor, *tails))
        cursor, counts = answer[0], answer[1:]
        held.update(dict(zip(queues, counts[::3], strict=True)))
        claimed.update(dict(zip(queues, counts[1::3], strict=True)))
        for queue, first in zip(queues, counts[2::3], strict=True):
            if first:
                due[queue] = min(due.get(queue, float("inf")), float(first))
        if int(cursor) == 0:
            break
    return held, claimed, due


def _age(oldest: list[bytes]) -> float | None:
    """Seconds since the oldest of these was sent; None where one of them does not say when."""
    sent = [sent_of(text) for text in oldest]
    known = [moment for moment in sent if moment is not None]
    return max(0.0, time.time() - min(known)) if known and len(known) == len(sent) else None
