"""The headers of a task message, protocol 2, read into checked fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from celeriac.exceptions import ProtocolError
from celeriac.protocol.shapes import MAX_COUNT, MAX_NAME, is_text, wrong
from celeriac.protocol.timestamps import parse_moment

__all__ = ["HEADER_KEYS", "TaskHeaders", "is_v2", "read_headers"]

#: The keys that every protocol 2 message carries.
HEADER_KEYS: Final = frozenset(
    {
        "lang",
        "task",
        "id",
        "shadow",
        "eta",
        "expires",
        "group",
        "group_index",
        "retries",
        "timelimit",
        "root_id",
        "parent_id",
        "argsrepr",
        "kwargsrepr",
        "origin",
        "ignore_result",
        "replaced_task_nesting",
        "stamped_headers",
        "stamps",
    }
)


class TaskHeaders(NamedTuple):
    """The headers of a task message, checked. Missing optional headers have their default."""

    task: str
    id: str
    root_id: str
    parent_id: str | None
    group: str | None
    group_index: int | None
    retries: int
    eta: datetime | None
    expires: datetime | None
    #: (hard, soft) in seconds.
    timelimit: tuple[float | None, float | None]
    shadow: str | None
    ignore_result: bool | None
    origin: str
    stamped_headers: list[str] | None
    stamps: dict[str, Any]
    argsrepr: str | None
    kwargsrepr: str | None
    replaced_task_nesting: int
    lang: str
    #: The map that was read.
    raw: Mapping[str, Any]

    @property
    def extra(self) -> dict[str, Any]:
        """The headers that the protocol does not name: ``task.request.headers``."""
        return {key: value for key, value in self.raw.items() if key not in HEADER_KEYS}

    @property
    def display_name(self) -> str:
        """The name that logs and events show."""
        return self.shadow or self.task


def is_v2(headers: Mapping[str, Any] | None) -> bool:
    """Whether a message with `headers` is one of protocol 2 (or the hybrid of both)."""
    return bool(headers) and "task" in headers  # type: ignore[operator]  # bool() has excluded None


def read_headers(headers: Mapping[str, Any]) -> TaskHeaders:
    """Check the headers of a protocol 2 message.

    Raises ProtocolError for a missing task or id and for any value of the wrong type. Runs once for
    each message in the worker's only thread: hence no loops and few calls on the normal way.
    """
    if not isinstance(headers, Mapping):
        raise wrong("headers", "a map", headers)
    get = headers.get
    task_id = _name("id", get("id"))
    return TaskHeaders(
        _name("task", get("task")),
        task_id,
        _optional_id("root_id", get("root_id")) or task_id,
        _optional_id("parent_id", get("parent_id")),
        _optional_id("group", get("group")),
        _count("group_index", get("group_index")),
        _count("retries", get("retries")) or 0,
        None if (eta := get("eta")) is None else parse_moment(eta, "header 'eta'"),
        None if (expires := get("expires")) is None else parse_moment(expires, "header 'expires'"),
        _limits(get("timelimit")),
        _text("shadow", get("shadow")),
        _flag("ignore_result", get("ignore_result")),
        _text("origin", get("origin")) or "",
        None if (names := get("stamped_headers")) is None else _names("stamped_headers", names),
        _stamps(stamps) if (stamps := get("stamps")) else {},
        _text("argsrepr", get("argsrepr")),
        _text("kwargsrepr", get("kwargsrepr")),
        _count("replaced_task_nesting", get("replaced_task_nesting")) or 0,
        _text("lang", get("lang")) or "",
        headers,
    )


def _name(key: str, value: Any) -> str:
    if type(value) is str and 0 < len(value) <= MAX_NAME and (value.isascii() or is_text(value)):
        return value
    if value is None:
        raise ProtocolError(f"header {key!r} is missing: a task message needs it")
    raise wrong(f"header {key!r}", f"text of 1 to {MAX_NAME} characters", value)


def _optional_id(key: str, value: Any) -> str | None:
    """An id, or None for null and for the empty text that some clients send instead."""
    if value is None or value == "":
        return None
    if type(value) is str and len(value) <= MAX_NAME and is_text(value):
        return value
    raise wrong(f"header {key!r}", f"text of at most {MAX_NAME} characters, or null", value)


def _count(key: str, value: Any) -> int | None:
    if value is None or (type(value) is int and 0 <= value <= MAX_COUNT):
        return value
    raise wrong(f"header {key!r}", f"a whole number from 0 to {MAX_COUNT}", value)


def _flag(key: str, value: Any) -> bool | None:
    if value is None or value is True or value is False:
        return value
    raise wrong(f"header {key!r}", "true, false or null", value)


def _text(key: str, value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    raise wrong(f"header {key!r}", "text or null", value)


def _limits(value: Any) -> tuple[float | None, float | None]:
    if value is None:
        return None, None
    if isinstance(value, (list, tuple)) and len(value) == 2:
        hard, soft = value
        if _is_limit(hard) and _is_limit(soft):
            return hard, soft
    raise wrong("header 'timelimit'", "a list of two: hard and soft limit in seconds, or null", value)


def _is_limit(value: Any) -> bool:
    # the chain of comparisons is false for NaN and infinity
    return value is None or (type(value) in (int, float) and 0 <= value <= MAX_COUNT)


def _names(key: str, value: Any) -> list[str]:
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in value):
        raise wrong(f"header {key!r}", "a list of names, or null", value)
    return list(value)


def _stamps(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise wrong("header 'stamps'", "a map of names to values, or null", value)
    return dict(value)
