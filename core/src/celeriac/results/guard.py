"""Waiting inside a task: refused, unless somebody has said that it is all right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celeriac.app.current import get_current_request

_MESSAGE = (
    "Never call result.get() within a task: the worker that waits may be the one that is waited for. Use a chain or a "
    "callback, or pass disable_sync_subtasks=False (or use allow_join_result) if you are sure"
)

#: What the innermost `allow_join_result` or `denied_join_result` around this code says.
_allowed: ContextVar[bool | None] = ContextVar("celeriac_join_allowed", default=None)


@contextmanager
def allow_join_result() -> Iterator[None]:
    """Within it results may be waited for, also in a task."""
    token = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(token)


@contextmanager
def denied_join_result() -> Iterator[None]:
    """Within it results may not be waited for, as in a task."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)


def task_join_will_block() -> bool:
    """Whether waiting here may wait for ever, because it is a worker's task that waits."""
    allowed = _allowed.get()
    if allowed is not None:
        return not allowed
    request = get_current_request()
    return request is not None and not request.called_directly and not request.is_eager


def assert_will_not_block() -> None:
    """Raises RuntimeError where `task_join_will_block`."""
    if task_join_will_block():
        raise RuntimeError(_MESSAGE)
