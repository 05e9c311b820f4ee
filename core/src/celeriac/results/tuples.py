"""Results in the form in which they cross the wire: ``[[id, parent], children]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import ProtocolError
from celeriac.results.async_result import AsyncResult
from celeriac.results.base import ResultBase
from celeriac.results.group_result import GroupResult

if TYPE_CHECKING:
    from celeriac.app.base import Celery


def result_from_tuple(r: Any, app: Celery | None = None) -> Any:
    """The result that `r` stands for; what is one already stays.  Raises `ProtocolError`."""
    links = []
    task_result = AsyncResult if app is None else app.AsyncResult
    group_result = GroupResult if app is None else app.GroupResult
    while not isinstance(r, ResultBase):  # a loop: chains may be longer than calls may be nested
        task_id, r, members = _taken_apart(r)
        links.append((task_id, members))
        if r is None:
            break
    made: Any = r
    for task_id, members in reversed(links):
        if members is None:
            made = task_result(task_id, parent=made)
        else:
            made = group_result(task_id, [result_from_tuple(member, app) for member in members], parent=made)
    return made


def _taken_apart(value: Any) -> tuple[str, Any, Sequence[Any] | None]:
    """Id, parent, members."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        head, members = value
        task_id, parent = head if isinstance(head, (list, tuple)) and len(head) == 2 else (head, None)
        if isinstance(task_id, str) and (members is None or isinstance(members, (list, tuple))):
            return task_id, parent, members
    raise ProtocolError(f"a stored result must be [[id, parent], children], not {value!r:.200}")
