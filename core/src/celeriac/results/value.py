"""What is in the meta of a result: a value, or an error to raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from celeriac import states
from celeriac.exceptions import TaskError, TaskRevokedError
from celeriac.protocol.results import decode_exception

#: The classes made up so far; there are only a few classes that need one.
_made: Final[dict[Any, type[Exception]]] = {}


def value_of(meta: Mapping[str, Any]) -> Any:
    """The return value, the exception, or what ``update_state`` gave.

    An exception is always an `Exception`: what only ends the process that raises it (`SystemExit`,
    `KeyboardInterrupt`) or a coroutine (`CancelledError`) becomes a class of the same name that does not, with the
    original as ``__cause__``.  Raises `SecurityError` and `ProtocolError` as `decode_exception`.
    """
    found = meta.get("result")
    if meta["status"] in states.EXCEPTION_STATES and found is not None:
        found = found if isinstance(found, BaseException) else decode_exception(found)
        if not isinstance(found, Exception):
            return _harmless(found)
    return found


def error_of(meta: Mapping[str, Any], value: Any, remote_traceback: bool) -> BaseException:
    """What to raise for a task that has ended badly; `value` is that of `value_of`."""
    if not isinstance(value, BaseException):  # a store, or a client, that does not say what went wrong
        kind = TaskRevokedError if meta["status"] == states.REVOKED else TaskError
        return kind(
            f"task {meta.get('task_id')} ended as {meta['status']}, and its result does not say why: {value!r:.200}"
        )
    text = meta.get("traceback")
    if text and remote_traceback and not any(text in note for note in getattr(value, "__notes__", ())):
        value.add_note(f"Traceback in the worker:\n{text}")
    return value


def _harmless(error: BaseException) -> Exception:
    kind = type(error)
    made = _same_name(kind)(*error.args)
    for note in getattr(error, "__notes__", ()):
        made.add_note(note)
    made.__cause__ = error
    return made


def _same_name(kind: type[BaseException]) -> type[Exception]:
    made = _made.get(kind)
    if made is None:
        made = _made[kind] = type(
            kind.__name__,
            (Exception,),
            {
                "__module__": kind.__module__,
                "__qualname__": kind.__qualname__,
                "__doc__": f"{kind.__qualname__} of a task, as an error that does not end the caller.",
            },
        )
    return made
