"""What ``|`` makes of two signatures, whatever they are."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from celeriac.canvas.ends import is_open
from celeriac.canvas.options import needs_one_end
from celeriac.canvas.signature import Signature


def append(steps: list[Signature], step: Any) -> None:
    """Add one more to `steps`, in the form that can be sent: no chain in them, no group that something follows.

    A group that something follows is the header of a chord with that as its body.
    """
    kind = step.get("subtask_type")
    if kind == "chain":
        for inner in step.steps():
            append(steps, inner)
        return
    if step.get("task") == "celery.chunks":
        step, kind = step.group(), "group"
    if not steps:
        steps.append(step)
        return
    is_body = len(steps) == 1 and steps[0].get("subtask_type") == "group"
    if kind == "group" and not is_body and not needs_one_end(step["options"]):
        members = list(islice(step.members(), 2))
        if len(members) == 1:
            # What Celery does, and its users rely on: after something, a group of one means its one member, but a
            # group that is piped into one has it for its body, and gives a list.
            append(steps, members[0])
            return
    last = steps[-1]
    if last.get("subtask_type") == "group" and needs_one_end(last["options"]):
        last = last.collected()
    if last.get("subtask_type") == "group":
        steps[-1] = Signature.TYPES["chord"](last, step, app=last._app)
    elif last.get("subtask_type") == "chord" and (last.body is None or is_open(last.body)):
        steps[-1] = last.followed_by(step)
    else:
        steps.append(step)


def flattened(steps: Iterable[Any]) -> list[Signature]:
    """The steps in the form that can be sent; they themselves are not changed."""
    found: list[Signature] = []
    for step in steps:
        append(found, step)
    return found


def join(left: Signature, right: Signature) -> Signature:
    """``left | right``."""
    if _is_empty(left, "chain") and right.get("subtask_type") == "group":
        return right if len(right.tasks) != 1 else _chain_of(right.tasks, left._app)
    if left.get("subtask_type") in {"chain", "group"} and _is_empty(right, "group"):
        return left  # there was nothing to add, as where a generator gave nothing
    if left.get("subtask_type") == "chord":
        # What is piped into a chord stays one, with a longer body.
        longer: Signature = left.followed_by(right)
        return longer
    steps = flattened((left, right))
    if len(steps) == 1 and steps[0].get("subtask_type") == "chord":
        return steps[0]
    return _chain_of(steps, left._app)


def _chain_of(steps: list[Signature], app: Any) -> Signature:
    """A chain of steps that are in the form that can be sent."""
    made = Signature.TYPES["chain"](app=app)
    made["kwargs"] = {"tasks": steps}
    return made


def _is_empty(signature: Any, kind: str) -> bool:
    return signature.get("subtask_type") == kind and not signature.tasks


Signature.JOIN = staticmethod(join)

__all__ = ["flattened", "join"]
