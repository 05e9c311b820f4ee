"""Claims whose connection was lost while their tasks run: the broker will deliver them again, to us or to others."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

#: So many are remembered; others may have got those that never come back.
_MOST: Final = 10_000

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

    def __bool__(self) -> bool:
        return bool(self._tags)

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

    def claimed_again(self, headers: Mapping[str, Any]) -> tuple[Any, Settled | None] | None:
        """The old tag of a message that has come again, and what was said of it; None for one that is new."""
        key = _key(headers)
        if key not in self._tags:
            return None
        tag = self._tags[key]
        settled = self._settled.get(tag)
        self._forget(key)
        return tag, settled

    def _forget(self, key: Key) -> None:
        tag = self._tags.pop(key, None)
        self._keys.pop(tag, None)
        self._settled.pop(tag, None)


def _key(headers: Mapping[str, Any]) -> Key | None:
    """What tells a message from all others: a retry has the same id and another count."""
    task_id, retries = headers.get("id"), headers.get("retries")
    if not isinstance(task_id, str) or not isinstance(retries, int | None):
        return None
    return task_id, retries
