"""How a delivery ended."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class OutcomeKind(StrEnum):
    """The ways in which a delivery can end; each delivery ends in exactly one."""

    SUCCESS = "success"
    FAILURE = "failure"
    RETRY = "retry"
    IGNORED = "ignored"
    REJECTED = "rejected"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNKNOWN_TASK = "unknown-task"
    INVALID = "invalid"
    DELIVERY_LIMIT = "delivery-limit"
    HARD_TIME_LIMIT = "hard-time-limit"
    WORKER_LOST = "worker-lost"
    STORE_FAILED = "store-failed"


class Outcome(NamedTuple):
    """How one delivery ended, as outcome listeners see it, in the worker's main process.

    `task_id` and `task` are empty where the message had none.  `runtime` is in seconds, None where the task's code
    did not run to an end.  `exception` is the repr of the error, None where there was none.  `requeued`: the message
    went back to the queue and will be delivered again.
    """

    kind: OutcomeKind
    task_id: str
    task: str
    queue: str
    retries: int = 0
    runtime: float | None = None
    exception: str | None = None
    requeued: bool = False
    headers: dict[str, Any] = {}  # noqa: RUF012  # never changed; one shared empty map
