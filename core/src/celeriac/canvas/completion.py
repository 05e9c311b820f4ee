"""What happens when the parts of chords are stored: the bodies of those that are complete are called, once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celeriac import states
from celeriac.canvas.admission import mark_of
from celeriac.canvas.aftermath import never_run
from celeriac.canvas.kept import is_stub
from celeriac.canvas.launch import Launch
from celeriac.canvas.signature import maybe_signature
from celeriac.canvas.unstarted import chord_error, tell_firsts
from celeriac.contracts.chords import CLAIM_SECONDS, ChordPart, ChordStore, Deposit, Turn
from celeriac.exceptions import BackendError
from celeriac.protocol.results import decode_exception

if TYPE_CHECKING:
    from celeriac.contracts.backend import Backend, StoredResult

logger = logging.getLogger("celeriac.canvas.chord")

#: Task id, state and result of each part, in the order of the header.
Parts = Sequence[tuple[str, str, Any]]


def store(app: Any, deposits: Iterable[Deposit]) -> None:
    """Store what tasks have left in one batch, and call the bodies of the chords that this completes.

    Raises `StoreUnavailable`, `SerializationError` (nothing is stored then), and `OperationalError` where a body could
    not be sent; the chord is then still due, and is called when the task is delivered again.
    """
    results: list[StoredResult] = []
    parts: list[ChordPart] = []
    elsewhere: list[tuple[Backend, StoredResult]] = []
    for deposit in deposits:
        results += deposit.results
        parts += deposit.parts
        if deposit.elsewhere:
            elsewhere += deposit.elsewhere
    if elsewhere:
        _store_elsewhere(app, elsewhere)
    if not parts or not isinstance(app.backend, ChordStore):
        if results:
            app.results.store(results)
        return
    called: list[str] = []
    while parts:
        turns = app.results.store_with_parts(results, parts)
        known = {part.group_id: part for part in parts}
        # Ended when what their failure has left is stored: if this process dies before, somebody else has to.
        _end(app, called)
        results, parts, called = _take_turns(app, turns, known) if turns else ([], [], [])
    if results:
        app.results.store(results)
    _end(app, called)


def _store_elsewhere(app: Any, results: Sequence[tuple[Backend, StoredResult]]) -> None:
    """Store the results of tasks that name a store of their own, one batch for each store."""
    batches: dict[int, tuple[Backend, list[StoredResult]]] = {}
    for backend, result in results:
        batches.setdefault(id(backend), (backend, []))[1].append(result)
    for backend, batch in batches.values():
        app.results.of(backend).store(batch)


def _end(app: Any, group_ids: Sequence[str]) -> None:
    if group_ids:
        app.backend.end_chords(group_ids)


def _take_turns(
    app: Any, turns: Mapping[str, Turn], known: Mapping[str, ChordPart]
) -> tuple[list[StoredResult], list[ChordPart], list[str]]:
    """Send the bodies of all chords that are claimed.

    Gives what the failure of some leaves to be stored, and the chords that can be ended then.
    """
    launch = Launch(app)
    results: list[StoredResult] = []
    parts: list[ChordPart] = []
    claimed: list[str] = []
    for group_id, turn in turns.items():
        part = known[group_id]
        if turn is Turn.BUSY:
            # Whoever claimed it is sending the body, or has died: look when that is certain.
            body = part.body
            if body is not None:
                launch.watch_chord(group_id, maybe_signature(dict(body), app), None, CLAIM_SECONDS + 1)
            continue
        stored, members = app.backend.read_chord(group_id)
        claimed.append(group_id)
        body = stored if stored is not None else part.body
        if body is None:
            logger.error("The body of chord %s is nowhere to be found: it is not called", group_id)
            continue
        if is_stub(body):
            gone = BackendError(f"the body of chord {group_id} is not in the result store any more")
            left = never_run(app, maybe_signature(dict(body), app), gone, states.FAILURE, None)
            results += left.results
            _store_elsewhere(app, left.elsewhere)
            continue
        launch.admission = mark_of(group_id)
        unbegun = _begin(app, launch, maybe_signature(dict(body), app), members, part)
        if unbegun is not None:
            results += unbegun.results
            parts += unbegun.parts
            _store_elsewhere(app, unbegun.elsewhere)
    launch.send()
    return results, parts, claimed


def _begin(app: Any, launch: Launch, body: Any, members: Parts, part: ChordPart | None) -> Deposit | None:
    """Have the body sent, or failed; then: what is to be stored."""
    root_id = {} if part is None or part.root_id is None else {"root_id": part.root_id}
    parent_id = {} if part is None else {"parent_id": part.task_id}
    signature = body.settle({**root_id, **parent_id})
    for task_id, state, result in members:
        if state in states.PROPAGATE_STATES:
            cause = decode_exception(result) if not isinstance(result, BaseException) else result
            error = chord_error(task_id, cause)
            tell_firsts(app, signature, error)
            return never_run(app, signature, error, states.FAILURE, None)
    signature.launch(launch, ([result for _, _, result in members],), {})
    return None


def claim(app: Any, group_id: str, body: Any) -> bool:
    """Call the body of a chord if it is due and nobody else does; False where somebody may yet have to."""
    turn = app.backend.claim_chord(group_id)
    if turn is None:
        return True
    if turn is Turn.BUSY:
        return False
    part = ChordPart(group_id, None, "", states.SUCCESS, None, body)
    results, parts, called = _take_turns(app, {group_id: turn}, {group_id: part})
    store(app, [Deposit(results, parts)])
    _end(app, called)
    return True


def finish(app: Any, group_id: str, body: Any, members: Parts) -> None:
    """Call, or fail, the body of a chord that somebody has seen to be complete."""
    launch = Launch(app)
    launch.admission = mark_of(group_id)
    left = _begin(app, launch, body, members, None)
    launch.send()
    if left is not None:
        store(app, [left])


__all__ = ["claim", "finish", "store"]
