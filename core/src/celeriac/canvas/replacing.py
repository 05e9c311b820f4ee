"""A running task that puts something else in its place, or adds to the chord that it is in."""

from __future__ import annotations

from typing import Any

from celeriac.canvas.ends import one_end
from celeriac.canvas.signature import Signature, maybe_signature
from celeriac.contracts.chords import ChordStore


def replacement(task: Any, signature: Any) -> Signature:
    """`signature` as what stands for the running task: with its id, and followed by all that follows the task.

    Raises `ImproperlyConfigured` for an empty chain, which never ends because it never begins.
    """
    found = one_end(maybe_signature(signature, task.app))
    request = task.request
    options = {
        "task_id": request.id,
        "root_id": request.root_id,
        "group_id": request.group,
        "group_index": request.group_index,
        "chord": request.chord,
        "chain": request.chain,
        "link": request.callbacks,
        "link_error": request.errbacks,
        "reply_to": request.reply_to,
        "replaced_task_nesting": request.replaced_task_nesting + 1,
        "stamped_headers": request.stamped_headers,
        **(request.stamps or {}),
    }
    return found.settle({key: value for key, value in options.items() if value is not None})


def added_to_chord(task: Any, signature: Any) -> Signature:
    """`signature` as one more part of the chord that the running task is in.

    Raises ValueError outside of a chord, and `NotImplementedError` where the store cannot count.
    """
    request = task.request
    if not request.chord or not request.group:
        raise ValueError("the current task is in no chord's header, so there is no chord to add a task to")
    backend = task.app.backend
    if not isinstance(backend, ChordStore):
        raise NotImplementedError(
            f"the result store {backend.as_uri()} does not count the parts of a chord, so none can be added; "
            "result_backend names another one, as in 'sqlite://' or 'redis://'"
        )
    found = one_end(maybe_signature(signature, task.app))
    settled = found.settle({"group_id": request.group, "chord": request.chord, "root_id": request.root_id})
    backend.grow_chord(request.group)
    return settled


__all__ = ["added_to_chord", "replacement"]
