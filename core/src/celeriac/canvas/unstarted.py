"""What becomes of calls that will never be made, because what they wait for has failed."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

from celeriac import states
from celeriac.app.context import Context
from celeriac.app.errbacks import call_errbacks
from celeriac.canvas.admission import ADMISSION, mark_of
from celeriac.canvas.options import listed
from celeriac.canvas.signature import maybe_signature
from celeriac.exceptions import ChordError
from celeriac.results.eager import EagerResult


def chord_error(task_id: str | None, error: Any) -> ChordError:
    """The error of a body whose header has failed at that task."""
    made = ChordError(f"Dependency {task_id} raised {error!r}")
    if isinstance(error, BaseException):
        made.__cause__ = error
    return made


def tell_firsts(app: Any, signature: Any, error: BaseException, is_eager: bool = False) -> None:
    """Call the errbacks of those tasks of a settled signature that would have been sent now: they have failed."""
    for first in signature.firsts():
        options = first["options"]
        errbacks = listed(options.get("link_error"))
        if errbacks and not is_eager:
            errbacks = [_once(app, errback, f"{options.get('task_id')} {at}") for at, errback in enumerate(errbacks)]
        if errbacks:
            request = Context(
                id=options.get("task_id"),
                task=first["task"],
                args=first["args"],
                kwargs=first["kwargs"],
                errbacks=errbacks,
                group=options.get("group_id"),
                root_id=options.get("root_id") or options.get("task_id"),
                parent_id=options.get("parent_id"),
                called_directly=False,
                is_eager=is_eager,
            )
            call_errbacks(app, request, error, None)


def _once(app: Any, errback: Any, name: str) -> Any:
    """The errback as it can be sent twice and runs once: whoever tells of a chord's failure may die over it."""
    found = maybe_signature(errback, app, clone=True)
    if found["subtask_type"] or found.id:
        return found
    headers = {**(found["options"].get("headers") or {}), ADMISSION: mark_of("errback")}
    return found.set(task_id=str(uuid5(NAMESPACE_OID, name)), headers=headers)


def fail_eagerly(app: Any, signature: Any, error: BaseException) -> Any:
    """The result of a settled signature whose first tasks have failed with `error`."""
    tell_firsts(app, signature, error, is_eager=True)
    return failed_result(signature.result(), error)


def failed_result(result: Any, error: Any, state: str = states.FAILURE) -> Any:
    """`result`, of something that was never run, as the failure that it is."""
    members = getattr(result, "results", None)
    if members is not None:
        made = result.app.GroupResult(result.id, [failed_result(member, error, state) for member in members])
    else:
        made = EagerResult(result.id, error, state, name=result.task_name)
    if result.parent is not None:
        made.parent = failed_result(result.parent, error, state)
    return made


__all__ = ["chord_error", "fail_eagerly", "failed_result", "tell_firsts"]
