"""What happens when the parts of chords are stored: the bodies of those that are complete are called, once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celeriac import states
from celeriac.canvas.admission import mark_of
from celeriac.canvas.aftermath import never_run
from celeriac.canvas.kept import is_stub
from celeriac.canvas.launch import Launch
from celeriac.canvas.signature import Signature, maybe_signature
from celeriac.canvas.unstarted import chord_error, tell_firsts
from celeriac.contracts.chords import CLAIM_SECONDS, ChordPart, ChordStore, Deposit, Turn
from celeriac.exceptions import BackendError, ChordError, ProtocolError, SecurityError
from celeriac.protocol.results import decode_exception

if TYPE_CHECKING:
    from celeriac.contracts.backend import Backend, StoredResult

logger = logging.getLogger("celeriac.canvas.chord")

_UNWATCHED: Final = "Nobody looks after chord %s, should whoever calls its body die"
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
    calls: list[_Call] = []
    unbegun: list[Deposit] = []
    claimed: list[str] = []
    for group_id, turn in turns.items():
        part = known[group_id]
        if turn is Turn.BUSY:
            watch = None if part.body is None else _watched(app, group_id, part.body)
            calls += [watch] if watch is not None else []
            continue
        claimed.append(group_id)
        call = _called(app, group_id, part)
        if isinstance(call, Deposit):
            unbegun.append(call)
        elif call is not None:
            calls.append(call)
    unbegun += _send(app, calls)
    for left in unbegun:
        _store_elsewhere(app, left.elsewhere)
    results = [each for left in unbegun for each in left.results]
    parts = [each for left in unbegun for each in left.parts]
    return results, parts, claimed


class _Call(NamedTuple):
    """A body that is to be sent.  `signature` is None where it is not, and a task looks after the chord."""

    group_id: str
    signature: Any
    launch: Launch


def _watched(app: Any, group_id: str, body: Any) -> _Call | None:
    """Whoever claimed the chord is sending the body, or has died: look when that is certain."""
    launch = Launch(app)
    try:
        launch.watch_chord(group_id, maybe_signature(body, app), None, CLAIM_SECONDS + 1)
    except Exception:  # of the body's options
        logger.exception(_UNWATCHED, group_id)
        return None
    return _Call(group_id, None, launch)


def _called(app: Any, group_id: str, part: ChordPart) -> _Call | Deposit | None:
    """The call of the body of a chord that is claimed; or what is to be stored as there is none."""
    body: Any = part.body
    try:
        stored, members = app.backend.read_chord(group_id)
        body = stored if stored is not None else body
        if body is None:
            logger.error("The body of chord %s is nowhere to be found: it is not called", group_id)
            return None
        signature = Signature.from_dict(body, app=app)
    except (ProtocolError, SecurityError) as error:  # somebody has written into the store
        return None if part.body is None else _uncallable(app, group_id, part.body, error)
    if is_stub(signature):
        gone = BackendError(f"the body of chord {group_id} is not in the result store any more")
        return never_run(app, signature, gone, states.FAILURE, None)._replace(parts=[])
    return _begun(app, group_id, signature, members, part)


def _begun(app: Any, group_id: str, body: Any, members: Parts, part: ChordPart | None) -> _Call | Deposit:
    launch = Launch(app)
    launch.admission = mark_of(group_id)
    try:
        return _begin(app, launch, body, members, part) or _Call(group_id, body, launch)
    except _out_of_reach(app):
        raise
    except Exception as error:  # noqa: BLE001  # of its options: storing it again would not help
        return _uncallable(app, group_id, body, error)


def _send(app: Any, calls: Sequence[_Call]) -> list[Deposit]:
    """Send all as one batch; gives what is to be stored for those that cannot be sent."""
    launch = Launch(app)
    for call in calls:
        launch.take(call.launch)
    try:
        launch.send()
    except _out_of_reach(app):
        raise
    except Exception as error:
        if len(calls) > 1:  # one of them is at fault; what has left already is not admitted twice
            return [left for call in calls for left in _send(app, [call])]
        [call] = calls
        if call.signature is not None:
            return [_uncallable(app, call.group_id, call.signature, error)]
        logger.exception(_UNWATCHED, call.group_id)
    return []


def _uncallable(app: Any, group_id: str, body: Any, error: Exception) -> Deposit:
    """What is to be stored where a body cannot be called, of which its errbacks are told."""
    logger.error("The body of chord %s cannot be called: %r", group_id, error, exc_info=error)
    told = ChordError(f"the body of chord {group_id} cannot be called: {error!r}")
    told.__cause__ = error
    signature = maybe_signature(body, app)
    tell_firsts(app, signature, told)
    return never_run(app, signature, told, states.FAILURE, None)


def _out_of_reach(app: Any) -> tuple[type[BaseException], ...]:
    """What is worth another try."""
    return (BackendError, *app.connection_errors)


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
    call = _begun(app, group_id, body, members, None)
    unbegun = [call] if isinstance(call, Deposit) else _send(app, [call])
    if unbegun:
        store(app, unbegun)


__all__ = ["claim", "finish", "store"]
