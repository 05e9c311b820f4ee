"""Steps of a chain that wait in the result store, so that no message has to carry them all.

Each step is kept under the id of its own task, as a result that is pending, until a real one takes its place.  Messages
carry a stub of the next step, which names that id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from celeriac import states
from celeriac.canvas.signature import Signature, maybe_signature
from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import ChordStore
from celeriac.exceptions import BackendError
from celeriac.protocol.results import build_meta

#: The option by which a stub is known.
KEPT: Final = "kept"
#: Where the meta of a pending result has the call.
CALL: Final = "call"


def keeps(app: Any) -> bool:
    """Whether chains are sent in this form: Celery's workers do not know it, and not every store can be shared."""
    return not app.conf.task_protocol_compat and isinstance(app.backend, ChordStore)


def stub_of(signature: Any) -> dict[str, Any]:
    """What a message carries in place of a settled signature."""
    return {
        "task": signature["task"],
        "args": (),
        "kwargs": {},
        "options": {"task_id": signature["options"]["task_id"], KEPT: True},
        "subtask_type": None,
        "immutable": False,
    }


def is_stub(signature: Any) -> bool:
    """Whether it stands for something that is kept."""
    return bool((signature.get("options") or {}).get(KEPT))


def to_keep(steps: Sequence[Any]) -> tuple[list[dict[str, Any]], list[StoredResult]]:
    """The rest of a chain as its message carries it, and what the store has to have before that leaves."""
    following: list[dict[str, Any]] = []
    kept: list[StoredResult] = []
    for step in reversed(steps):
        if is_stub(step):  # what comes after is kept already
            following = [dict(step)]
            continue
        whole = step.settle({"chain": following}) if following else step
        task_id = step["options"]["task_id"]
        meta = {**build_meta(task_id, states.PENDING, None), CALL: dict(whole)}
        kept.append(StoredResult(task_id, states.PENDING, meta))
        following = [stub_of(step)]
    return following, kept


def unstubbed(app: Any, signature: Any) -> Signature | None:
    """The signature that a stub stands for; None where it has been sent before, and its task has begun.

    Raises `BackendError` where the store does not have it any more, `ProtocolError` for what is damaged.
    """
    if not is_stub(signature):
        found: Signature = maybe_signature(signature, app)
        return found
    task_id = signature["options"]["task_id"]
    meta = app.results.fetch([task_id]).get(task_id)
    if meta is None:
        raise BackendError(
            f"the next step of the chain, {signature['task']}[{task_id}], is not in the result store any more: it was "
            "kept for result_expires seconds, which must be longer than the chain takes"
        )
    if meta["status"] != states.PENDING or CALL not in meta:
        return None
    return Signature.from_dict(meta[CALL], app=app)


__all__ = ["is_stub", "keeps", "stub_of", "to_keep", "unstubbed"]
