"""The meta of a result: what a result store keeps of a task and hands to whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from celeriac import states
from celeriac.protocol.failures import decode_exception, encode_exception
from celeriac.protocol.shapes import MAX_NAME, is_text, wrong
from celeriac.protocol.timestamps import to_iso

__all__ = ["build_meta", "decode_exception", "encode_exception", "read_meta"]

_CORE: Final = frozenset({"status", "result", "traceback", "children", "date_done", "task_id"})


def build_meta(
    task_id: str,
    state: str,
    result: Any,
    traceback: str | None = None,
    children: list[Any] | None = None,
    date_done: str | datetime | None = None,
    group_id: str | None = None,
    parent_id: str | None = None,
    extended: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The meta of a task in `state`.

    `result` is the value, or for an exception state the map of `encode_exception`. `date_done` is kept only in the
    three states that are final. `extended` holds what ``result_extended`` and stamps add; it cannot
    change the other keys.
    """
    if isinstance(date_done, datetime):
        date_done = to_iso(date_done)
    meta: dict[str, Any] = {
        "status": state,
        "result": result,
        "traceback": traceback,
        "children": children,
        "date_done": date_done if state in states.READY_STATES else None,
        "task_id": task_id,
    }
    if group_id:
        meta["group_id"] = group_id
    if parent_id:
        meta["parent_id"] = parent_id
    if extended:
        for key, value in extended.items():
            meta.setdefault(key, value)
    return meta


def read_meta(value: object) -> dict[str, Any]:
    """Check a meta that the serializer has decoded; absent keys that have a default get it.

    The exception of a failure stays the map it is: see `decode_exception`. Raises ProtocolError where
    the status is missing or a value has the wrong type.
    """
    if not isinstance(value, Mapping):
        raise wrong("result", "a map with 'status' and 'result'", value)
    status = value.get("status")
    if not isinstance(status, str) or not 0 < len(status) <= MAX_NAME or not is_text(status):
        raise wrong("result, 'status'", "the name of a state", status)
    for key in value:
        if not isinstance(key, str):
            raise wrong("result", "names as keys", key)
    for key in ("traceback", "task_id", "group_id", "parent_id"):
        text = value.get(key)
        if text is not None and not isinstance(text, str):
            raise wrong(f"result, {key!r}", "text or null", text)
    children = value.get("children")
    if children is not None and not isinstance(children, (list, tuple)):
        raise wrong("result, 'children'", "a list or null", children)
    date_done = value.get("date_done")
    if date_done is not None and not isinstance(date_done, (str, datetime)):
        raise wrong("result, 'date_done'", "ISO 8601 text or null", date_done)
    return {**dict.fromkeys(sorted(_CORE)), **value}
