"""Claims whose connection was lost: those whose tasks run, and those of which the broker may not have heard the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

#: So many are remembered; others may have got those that never come back.
_MOST: Final = 10_000
#: Acks that are remembered: a broker that reads none sends no more than the prefetch, so that no more are on their way.
_MOST_ACKED: Final = 2_000
#: An ack that was sent that many seconds before the loss may have been on its way; two heartbeats of 60 s tell of one.
_ON_ITS_WAY: Final = 120.0
#: Seconds after which what comes again to a new connection has come.
_COMES_BACK: Final = 60.0

Key = tuple[Any, Any]


class Settled(Enum):
    """What was said of a claim after it had become stale."""

    ACK = "ack"
    REJECT = "reject"
    REQUEUE = "requeue"


class StaleClaims:
    """Lets a message that is delivered again be recognised, so that it is not run twice by this worker."""

    def __init__(self) -> None:
        self._tags: dict[Key, Any] = {}
        self._keys: dict[Any, Key] = {}
        self._settled: dict[Any, Settled] = {}
        #: When those were acked that were acked last: an ack is not confirmed, and may be lost with the connection.
        self._acked: dict[Key, float] = {}
        #: Acked on a connection that was lost since.
        self._unheard: set[Key] = set()
        self._monotonic_connected = 0.0

    def __bool__(self) -> bool:
        return bool(self._tags or self._unheard)

    def add(self, tag: Any, headers: Mapping[str, Any]) -> None:
        """The claim `tag` on a message with these headers became stale while its task runs."""
        key = _key(headers)
        if key is None:
            return
        if len(self._tags) >= _MOST:
            self._forget(next(iter(self._tags)))
        self._forget(key)
        self._tags[key] = tag
        self._keys[tag] = key

    def settle(self, tag: Any, settled: Settled) -> None:
        """The task has ended; to be told to the broker when it delivers the message again."""
        if tag in self._keys:
            self._settled[tag] = settled

    def acked(self, headers: Mapping[str, Any]) -> None:
        """The broker was told, on a connection that may be lost before it reads that."""
        key = _key(headers)
        if key is not None:
            acked = self._acked
            acked.pop(key, None)
            acked[key] = time.monotonic()
            if len(acked) > _MOST_ACKED:
                del acked[next(iter(acked))]

    def published(self, headers: Mapping[str, Any]) -> None:
        """A message that was acked is sent once more: it will come again for good reason."""
        key = _key(headers)
        if key is not None:
            self._acked.pop(key, None)
            self._unheard.discard(key)

    def lost(self) -> None:
        """The connection is lost."""
        since = time.monotonic() - _ON_ITS_WAY
        self._unheard.update(key for key, acked in self._acked.items() if acked > since)
        self._acked.clear()

    def connected(self) -> None:
        """There is a connection, on which the broker delivers again what it takes for unacked."""
        self._monotonic_connected = time.monotonic()

    def claimed_again(self, headers: Mapping[str, Any], redelivered: bool) -> tuple[Any, Settled | None] | None:
        """The old tag of a message that has come again, and what was said of it; None for one that is new.

        `redelivered` is what the broker says: one that is not is another message, whoever has sent it once more.
        """
        key = _key(headers)
        if key is None:
            return None
        if self._unheard:
            if time.monotonic() - self._monotonic_connected > _COMES_BACK:
                self._unheard.clear()
            elif key in self._unheard:
                self._unheard.discard(key)
                if redelivered:
                    return None, Settled.ACK
        if key not in self._tags:
            return None
        tag = self._tags[key]
        settled = self._settled.get(tag)
        self._forget(key)
        return tag, settled

    def untold(self, tag: Any, settled: Settled, headers: Mapping[str, Any]) -> None:
        """What `claimed_again` gave could not be said: the message comes once more, and is to be known then too."""
        if settled is Settled.REJECT:
            self.add(tag, headers)
            self.settle(tag, settled)
        elif settled is Settled.ACK and (key := _key(headers)) is not None:
            self._unheard.add(key)

    def _forget(self, key: Key) -> None:
        tag = self._tags.pop(key, None)
        self._keys.pop(tag, None)
        self._settled.pop(tag, None)


def _key(headers: Mapping[str, Any]) -> Key | None:
    """What tells a message from all others: a retry has the same id and another count."""
    task_id, retries = headers.get("id"), headers.get("retries")
    if not isinstance(task_id, str) or not (retries is None or isinstance(retries, int)):
        return None
    return task_id, retries
