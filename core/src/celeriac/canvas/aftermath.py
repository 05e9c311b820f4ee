"""What is to be stored when a task has ended: its result, its part of a chord, and the failure of what never runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from celeriac import states
from celeriac.app.context import Context
from celeriac.canvas.kept import is_stub, unstubbed
from celeriac.canvas.signature import maybe_signature
from celeriac.contracts.chords import ChordPart, ChordStore, Deposit
from celeriac.exceptions import BackendError, ProtocolError

if TYPE_CHECKING:
    from celeriac.contracts.backend import Backend, StoredResult

logger = logging.getLogger("celeriac.canvas.chain")


def deposit(
    app: Any, request: Context, state: str, value: Any, traceback: str | None, is_wanted: bool
) -> Deposit | None:
    """What the end of a task in `state` leaves to be stored; its own result only where it `is_wanted`."""
    results: list[StoredResult] = []
    parts: list[ChordPart] = []
    elsewhere: list[tuple[Backend, StoredResult]] = []
    if is_wanted:
        entry = app.results.entry(request.id or "", state, value, traceback, request)
        _add(app, results, elsewhere, request.task, entry, request.chord is not None)
    if request.chord is not None and request.group and state in states.READY_STATES:
        parts.append(
            _part(app, request.group, request.group_index, request.id, state, value, request.chord, request.root_id)
        )
    if request.chain and state in states.PROPAGATE_STATES:
        for following in reversed(request.chain):
            signature = maybe_signature(following, app)
            more = never_run(app, signature, value, state, traceback, request)
            results += more.results
            parts += more.parts
            elsewhere += more.elsewhere
    return Deposit(results, parts, elsewhere) if results or parts or elsewhere else None


def never_run(
    app: Any, signature: Any, error: Any, state: str, traceback: str | None, request: Context | None = None
) -> Deposit:
    """What is to be stored of a settled signature none of whose tasks will run, because of `error`."""
    elsewhere: list[tuple[Backend, StoredResult]] = []
    made = Deposit([], [], elsewhere)
    for leaf in _identified(app, signature):
        options = leaf["options"]
        task_id, group_id = options["task_id"], options.get("group_id")
        home = app.results.of_task(app.tasks.get(leaf["task"]))
        if not home.backend.disabled and not options.get("ignore_result"):
            context = Context(
                id=task_id,
                task=leaf["task"],
                args=leaf["args"],
                kwargs=leaf["kwargs"],
                group=group_id,
                reply_to=options.get("reply_to") or (request.reply_to if request is not None else None),
                stamped_headers=options.get("stamped_headers"),
            )
            entry = app.results.entry(task_id, state, error, traceback, context)
            _add(app, made.results, elsewhere, leaf["task"], entry, options.get("chord") is not None)
        if options.get("chord") is not None and group_id:
            root_id = request.root_id if request is not None else options.get("root_id")
            made.parts.append(
                _part(app, group_id, options.get("group_index"), task_id, state, error, options["chord"], root_id)
            )
    return made


def _add(
    app: Any,
    results: list[StoredResult],
    elsewhere: list[tuple[Backend, StoredResult]],
    name: str | None,
    entry: StoredResult,
    is_part: bool,
) -> None:
    """Have the result of the task of that name stored where its results are."""
    home = app.results.of_task(app.tasks.get(name))
    if home is app.results:
        results.append(entry)
        return
    elsewhere.append((home.backend, entry))
    if is_part and not isinstance(app.backend, ChordStore):  # whoever looks whether the chord is complete looks there
        results.append(entry)


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
    except (BackendError, ProtocolError) as error:
        logger.error("Who waits for the rest of a chain is not told that it never runs: %s", error)
        return None


def _part(
    app: Any,
    group_id: str,
    index: int | None,
    task_id: str | None,
    state: str,
    value: Any,
    body: Any,
    root_id: str | None,
) -> ChordPart:
    """The part of a chord that a task is."""
    result = app.results.written(value) if isinstance(value, BaseException) else app.results.storable(value)
    return ChordPart(group_id, index, task_id or "", state, result, body, root_id)


__all__ = ["deposit", "never_run"]
