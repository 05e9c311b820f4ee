"""The task that looks whether a chord is complete: where the store cannot count, or who has counted may have died."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celeriac import states
from celeriac.canvas.completion import claim, finish
from celeriac.canvas.signature import Signature
from celeriac.contracts.chords import ChordStore
from celeriac.exceptions import ChordError
from celeriac.protocol.results import decode_exception
from celeriac.results.tuples import result_from_tuple


def unlock(
    task: Any,
    group_id: str,
    callback: Any,
    interval: float | None,
    max_retries: int | None,
    result: Iterable[Any] | None,
) -> None:
    """Call the body of the chord if all of the header have ended; else raise `Retry`, to look again in `interval` s."""
    app = task.app
    body = Signature.from_dict(callback, app=app)
    pause = app.conf.result_chord_retry_interval if interval is None else interval
    if result is None:
        if isinstance(app.backend, ChordStore) and not claim(app, group_id, body):
            raise task.retry(countdown=pause, max_retries=max_retries)
        return
    home = app.results.of_task(app.tasks.get(body["task"]))
    last = home.fetch([body["options"]["task_id"]]) if body["options"].get("task_id") else {}
    if any(meta["status"] in states.READY_STATES for meta in last.values()):
        return  # this message came twice
    header = [result_from_tuple(each, app) for each in result]
    metas = app.results.fetch([leaf.id for each in header for leaf in _leaves(each)])
    ended = [metas[leaf.id] for each in header for leaf in _leaves(each) if leaf.id in metas]
    wanted = sum(1 for each in header for _ in _leaves(each))
    if len(ended) < wanted or not all(meta["status"] in states.READY_STATES for meta in ended):
        try:
            raise task.retry(countdown=pause, max_retries=max_retries)
        except task.MaxRetriesExceededError as error:
            lost = ChordError(f"Chord {group_id} was not complete after {max_retries} looks at it")
            finish(app, group_id, body, [(group_id, states.FAILURE, lost)])
            raise lost from error
    finish(app, group_id, body, [_member(each, metas) for each in header])


def _leaves(result: Any) -> list[Any]:
    members = getattr(result, "results", None)
    return [result] if members is None else [leaf for member in members for leaf in _leaves(member)]


def _member(result: Any, metas: Any) -> tuple[str, str, Any]:
    """One part: the result of a task, or the list of those of a group."""
    leaves = _leaves(result)
    for leaf in leaves:
        meta = metas[leaf.id]
        if meta["status"] in states.PROPAGATE_STATES:
            return leaf.id, meta["status"], decode_exception(meta["result"])
    return result.id, states.SUCCESS, _value(result, metas)


def _value(result: Any, metas: Any) -> Any:
    members = getattr(result, "results", None)
    return metas[result.id]["result"] if members is None else [_value(member, metas) for member in members]


__all__ = ["unlock"]
