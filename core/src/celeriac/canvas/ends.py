"""Canvases that end with one task, so that somebody can wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celeriac.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from celeriac.canvas.signature import Signature


def is_open(signature: Signature) -> bool:
    """Whether it ends with a group: with several tasks, of which none is the last."""
    kind, inner = signature["subtask_type"], signature["kwargs"]
    if kind == "chain":
        return bool(inner["tasks"]) and is_open(inner["tasks"][-1])
    if kind == "chord":
        return inner["body"] is not None and is_open(inner["body"])
    return bool(kind == "group")


def one_end(signature: Signature) -> Signature:
    """The same, ending with one task: what ends with a group gets a task that returns the list of its results."""
    kind = signature["subtask_type"]
    if kind == "group":
        made: Signature = signature.collected()
        return made
    inner = signature["kwargs"]
    if kind == "chain":
        if not inner["tasks"]:
            raise ImproperlyConfigured("an empty chain cannot stand where a task is waited for: it ends nowhere")
        *before, last = inner["tasks"]
        end = one_end(last)
        return signature if end is last else signature._copy(kwargs={**inner, "tasks": [*before, end]})
    if kind == "chord" and inner["body"] is not None:
        end = one_end(inner["body"])
        return signature if end is inner["body"] else signature._copy(kwargs={**inner, "body": end})
    return signature


__all__ = ["is_open", "one_end"]
