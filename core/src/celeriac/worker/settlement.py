"""What the broker is told when a task has ended."""

from __future__ import annotations

from enum import Enum
from typing import Any

from celeriac.contracts.outcome import OutcomeKind


class Verdict(Enum):
    """What becomes of a message."""

    ACK = "ack"
    REDELIVER = "redeliver"
    REJECT = "reject"
    #: Kept as a dead letter, and then acked.
    BURY = "bury"


def verdict(kind: OutcomeKind, task: Any, early: bool, requeue: bool) -> Verdict:
    """The verdict on a message of `task` that ended as `kind`.

    `early` messages were settled before their task started and are only forgotten.  `requeue` is what `Reject` asked
    for.
    """
    if early:
        return Verdict.ACK
    if kind is OutcomeKind.REJECTED:
        return Verdict.REDELIVER if requeue else Verdict.REJECT
    if kind is OutcomeKind.STORE_FAILED:
        return Verdict.REDELIVER
    if kind is OutcomeKind.INVALID:
        return Verdict.REJECT
    if kind is OutcomeKind.WORKER_LOST and task.reject_on_worker_lost:
        return Verdict.REDELIVER
    if kind is OutcomeKind.HARD_TIME_LIMIT:
        return _acked(task.acks_on_timeout, task)
    if kind in {OutcomeKind.FAILURE, OutcomeKind.WORKER_LOST}:
        return _acked(task.acks_on_failure, task)
    return Verdict.ACK


def _acked(own: bool | None, task: Any) -> Verdict:
    wanted = task.acks_on_failure_or_timeout if own is None else own
    return Verdict.ACK if wanted else Verdict.REJECT
