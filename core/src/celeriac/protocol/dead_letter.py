"""The form of a dead letter: a message as it was, with a header that tells why it is not run.

Dead letters of the queue ``NAME`` wait in the queue ``NAME.dlq``, which no worker listens to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

#: The header: a map with `reason`, `error`, `queue`, `exchange`, `routing_key`, `worker` and `time` (ISO 8601).
DEAD_LETTER: Final = "dead_letter"

_SUFFIX: Final = ".dlq"
_LOSSES: Final = "celeriac.losses:"
#: Characters of an error that are kept.
_MOST: Final = 1024
#: It would let the broker drop the letter.
_LIMITED: Final = "expiration"


def dead_letter_queue(queue: str) -> str:
    """The name of the queue for the dead letters of `queue`."""
    return queue + _SUFFIX


def losses_key(task_id: str) -> str:
    """Where stores with primitives keep how often the process of a task has died."""
    return _LOSSES + task_id


def queue_of(dead_letter_queue: str) -> str | None:
    """The queue whose dead letters are kept there; None where the name says that they are none."""
    return dead_letter_queue.removesuffix(_SUFFIX) if dead_letter_queue.endswith(_SUFFIX) else None


def headers_of_letter(
    headers: Mapping[str, Any], reason: str, error: str | None, queue: str, exchange: str, routing_key: str, worker: str
) -> dict[str, Any]:
    """The headers of a dead letter, from those of the message."""
    story = {
        "reason": reason,
        "error": None if error is None else error[:_MOST],
        "queue": queue,
        "exchange": exchange,
        "routing_key": routing_key,
        "worker": worker,
        "time": datetime.now(UTC).isoformat(),
    }
    return {**headers, DEAD_LETTER: story}


def properties_of_letter(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a dead letter: without a time after which the broker would drop it."""
    return {key: value for key, value in properties.items() if key != _LIMITED and value is not None}


def story_of(headers: Any) -> dict[str, Any]:
    """What a dead letter tells of its death; empty for any other message."""
    story = headers.get(DEAD_LETTER) if isinstance(headers, Mapping) else None
    return dict(story) if isinstance(story, Mapping) else {}


def revived(headers: Any) -> dict[str, Any]:
    """The headers with which a dead letter is sent again."""
    return {key: value for key, value in headers.items() if key != DEAD_LETTER} if isinstance(headers, Mapping) else {}
