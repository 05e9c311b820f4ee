"""What is to be stored when a task has ended: its result, its part of a chord, and the failure of what never runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from celeriac import states
from celeriac.app.context import Context
from celeriac.canvas.kept import is_stub, unstubbed
from celeriac.canvas.signature import maybe_signature
from celeriac.contracts.chords import ChordPart, Deposit
from celeriac.exceptions import BackendError
from celeriac.protocol.results import encode_exception

if TYPE_CHECKING:
    from celeriac.contracts.backend import StoredResult

logger = logging.getLogger("celeriac.canvas.chain")


def deposit(
    app: Any, request: Context, state: str, value: Any, traceback: str | None, is_wanted: bool
) -> Deposit | None:
    """What the end of a task in `state` leaves to be stored; its own result only where it `is_wanted`."""
    results: list[StoredResult] = []
    parts: list[ChordPart] = []
    if is_wanted:
        results.append(app.results.entry(request.id or "", state, value, traceback, request))
    if request.chord is not None and request.group and state in states.READY_STATES:
        parts.append(
            part_of(request.group, request.group_index, request.id, state, value, request.chord, request.root_id)
        )
    if request.chain and state in states.PROPAGATE_STATES:
        for following in reversed(request.chain):
            signature = maybe_signature(dict(following), app)
            more = never_run(app, signature, value, state, traceback, request)
            results += more.results
            parts += more.parts
    return Deposit(results, parts) if results or parts else None


def never_run(
    app: Any, signature: Any, error: Any, state: str, traceback: str | None, request: Context | None = None
) -> Deposit:
    """What is to be stored of a settled signature none of whose tasks will run, because of `error`."""
    made = Deposit([], [])
    stores = not app.results.backend.disabled
    for leaf in _identified(app, signature):
        options = leaf["options"]
        task_id, group_id = options["task_id"], options.get("group_id")
        if stores and not options.get("ignore_result"):
            context = Context(
                id=task_id,
                task=leaf["task"],
                args=leaf["args"],
                kwargs=leaf["kwargs"],
                group=group_id,
                reply_to=options.get("reply_to") or (request.reply_to if request is not None else None),
                stamped_headers=options.get("stamped_headers"),
            )
            made.results.append(app.results.entry(task_id, state, error, traceback, context))
        if options.get("chord") is not None and group_id:
            root_id = request.root_id if request is not None else options.get("root_id")
            made.parts.append(
                part_of(group_id, options.get("group_index"), task_id, state, error, options["chord"], root_id)
            )
    return made


def _identified(app: Any, signature: Any) -> Iterator[Any]:
    """Its tasks, as far as somebody may know their ids."""
    for leaf in signature.leaves():
        if is_stub(leaf):
            whole = _found(app, leaf)
            if whole is not None:
                yield from _identified(app, whole)
                continue
        if leaf["options"].get("task_id"):
            yield leaf


def _found(app: Any, stub: Any) -> Any:
    try:
        return unstubbed(app, stub)
    except BackendError as error:
        logger.error("Who waits for the rest of a chain is not told that it never runs: %s", error)
        return None


def part_of(
    group_id: str, index: int | None, task_id: str | None, state: str, value: Any, body: Any, root_id: str | None
) -> ChordPart:
    """The part of a chord that a task is."""
    result = encode_exception(value) if isinstance(value, BaseException) else value
    return ChordPart(group_id, index, task_id or "", state, result, body, root_id)


__all__ = ["deposit", "never_run"]
