"""Which of several messages that call the same task runs it: whoever sends one may die before it has noted that.

That is so for the body of a chord, and for a tick of beat where the broker does not keep one message with an id.
Each sending of a body marks its messages with the chord's id and a token of its own.  The worker that is to run one
asks the result store first, which admits the first token that it is asked for: a message that was sent again is
dropped, and one that is delivered again runs again.  The chord's id is part of it because a body may be replaced by
another chord, whose body then has the same id.
"""

from __future__ import annotations

import time
from secrets import token_hex
from typing import Any, Final

from celeriac import states
from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import ChordStore
from celeriac.protocol.results import build_meta

#: The header that has the mark; workers of Celery pass over it.
ADMISSION: Final = "admission"
#: Seconds that a store which cannot decide is given to show the last of several writes.
_SETTLING: Final = 0.1


def mark_of(chord_id: str) -> str:
    """What marks the messages of one sending."""
    return f"{chord_id}/{token_hex(16)}"


def is_admitted(app: Any, task_id: str, mark: str) -> bool:
    """Whether the message with that mark is the one that runs the task.  Raises `StoreUnavailable`."""
    chord_id, _, token = str(mark).rpartition("/")
    call = f"{chord_id}.{task_id}"
    backend = app.results.backend
    if isinstance(backend, ChordStore):
        return bool(app.results.admit(call, token))
    if backend.disabled:
        return True
    return _is_first(app, f"{call}.{ADMISSION}", token)


def _is_first(app: Any, entry: str, token: str) -> bool:
    """The same with a store that can only write and read: whose write is there after all have had the time to write.

    That is Fischer's way to exclude each other; it holds as long as a write takes less than the time given.
    """
    found = _read(app, entry)
    if found is None:
        meta = {**build_meta(entry, states.PENDING, None), ADMISSION: token}
        app.results.store([StoredResult(entry, states.PENDING, meta)])
        time.sleep(_SETTLING)
        found = _read(app, entry)
    return found == token


def _read(app: Any, entry: str) -> str | None:
    found: str | None = app.results.fetch([entry]).get(entry, {}).get(ADMISSION)
    return found


__all__ = ["ADMISSION", "is_admitted", "mark_of"]
