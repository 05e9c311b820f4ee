"""The headers of a task message, protocol 2, written: a plan per task, a map per message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from celeriac.protocol.origin import origin as process_origin
from celeriac.protocol.timestamps import to_iso

__all__ = ["UNSET", "HeaderPlan", "build_headers"]


class _Unset:
    """Where None has a meaning of its own, this stands for "not given"."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()


class HeaderPlan:
    """What the headers of one task have in common, computed once; `headers` adds what differs per message."""

    __slots__ = ("_hard", "_soft", "_template")

    def __init__(
        self,
        task: str,
        *,
        ignore_result: bool | None = None,
        time_limit: float | None = None,
        soft_time_limit: float | None = None,
        shadow: str | None = None,
    ) -> None:
        """`ignore_result` None lets the worker's task class decide; the limits are seconds."""
        self._hard = time_limit
        self._soft = soft_time_limit
        self._template: dict[str, Any] = {
            "lang": "py",
            "task": task,
            "id": None,
            "shadow": shadow,
            "eta": None,
            "expires": None,
            "group": None,
            "group_index": None,
            "retries": 0,
            "timelimit": None,
            "root_id": None,
            "parent_id": None,
            "argsrepr": "()",
            "kwargsrepr": "{}",
            "origin": None,
            "ignore_result": ignore_result,
            "replaced_task_nesting": 0,
            "stamped_headers": None,
            "stamps": None,
        }

    def headers(
        self,
        task_id: str,
        *,
        argsrepr: str = "()",
        kwargsrepr: str = "{}",
        eta: datetime | str | None = None,
        expires: datetime | str | None = None,
        retries: int = 0,
        group: str | None = None,
        group_index: int | None = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        shadow: str | None = None,
        stamped_headers: Sequence[str] | None = None,
        stamps: Mapping[str, Any] | None = None,
        replaced_task_nesting: int = 0,
        ignore_result: bool | _Unset | None = UNSET,
        time_limit: float | _Unset | None = UNSET,
        soft_time_limit: float | _Unset | None = UNSET,
        origin: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The 19 headers of one message as a map of its own; those of `extra` are merged over them.

        `root_id` None means that the task is its own root. `eta` and `expires` are moments (ISO text is
        taken as it is); turn countdowns into moments before. UNSET takes the plan's value.
        """
        found = self._template.copy()
        found["id"] = task_id
        found["root_id"] = root_id or task_id
        found["argsrepr"] = argsrepr
        found["kwargsrepr"] = kwargsrepr
        found["origin"] = origin or process_origin()
        # Limits and stamps are mutable, so each message has its own.
        found["timelimit"] = [
            self._hard if time_limit is UNSET else time_limit,
            self._soft if soft_time_limit is UNSET else soft_time_limit,
        ]
        found["stamps"] = dict(stamps) if stamps else {}
        if stamped_headers is not None:
            found["stamped_headers"] = list(stamped_headers)
        if ignore_result is not UNSET:
            found["ignore_result"] = ignore_result
        if retries:
            found["retries"] = retries
        if parent_id is not None:
            found["parent_id"] = parent_id
        if eta is not None:
            found["eta"] = to_iso(eta) if isinstance(eta, datetime) else eta
        if expires is not None:
            found["expires"] = to_iso(expires) if isinstance(expires, datetime) else expires
        if group is not None:
            found["group"] = group
            found["group_index"] = group_index
        if shadow is not None:
            found["shadow"] = shadow
        if replaced_task_nesting:
            found["replaced_task_nesting"] = replaced_task_nesting
        if extra:
            found.update(extra)
        return found


def build_headers(task: str, task_id: str, **fields: Any) -> dict[str, Any]:
    """The headers of one message of a task without a plan; `fields` are those of `HeaderPlan.headers`."""
    return HeaderPlan(task).headers(task_id, **fields)
