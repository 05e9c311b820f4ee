"""Results in the form in which they cross the wire: ``[[id, parent], children]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import ProtocolError
from celeriac.results.async_result import AsyncResult
from celeriac.results.group_result import GroupResult

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def result_from_tuple(value: Any, app: Celery | None = None) -> Any:
    """The result that `value` stands for; what is one already stays.  Raises `ProtocolError`."""
    if isinstance(value, (AsyncResult, GroupResult)):
        return value
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ProtocolError(f"a stored child must be [[id, parent], children], not {value!r:.200}")
    head, members = value
    task_id, parent = head if isinstance(head, (list, tuple)) else (head, None)
    if parent is not None:
        parent = result_from_tuple(parent, app)
    if members is not None:
        return GroupResult(task_id, [result_from_tuple(member, app) for member in members], app=app, parent=parent)
    return AsyncResult(task_id, app=app, parent=parent)
