"""Checks of the parts of a message: each says what was expected and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from celeriac.exceptions import ProtocolError
from celeriac.protocol.reprs import safe_repr

__all__ = ["MAX_COUNT", "MAX_NAME", "described", "is_text", "signature", "signatures", "wrong"]

#: Longest task id, group id or task name. Stores keep ids in columns of 155 to 512 characters.
MAX_NAME: Final = 512
#: Largest counter (retries, index in a group): what every store's integer column can hold.
MAX_COUNT: Final = 2**31 - 1
#: How much of a value an error message shows, in characters.
_SHOWN: Final = 120


def described(value: object) -> str:
    """The type of `value` and a short repr of it, for an error message."""
    if value is None:
        return "nothing"
    return f"{type(value).__name__} {safe_repr(value, _SHOWN, 2)}"


def wrong(part: str, expected: str, value: object) -> ProtocolError:
    """The error that says that `part` should have been `expected` and is `value`."""
    return ProtocolError(f"{part}: expected {expected}, found {described(value)}")


def is_text(value: str) -> bool:
    """Whether `value` can be encoded: JSON escapes may hold halves of surrogate pairs, which no store takes."""
    if value.isascii():
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def signature(value: Any, part: str) -> dict[str, Any] | None:
    """Check the outer shape of a signature map; null stays None."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise wrong(part, "a signature (a map) or null", value)
    task = value.get("task")
    if not isinstance(task, str) or not task:
        raise wrong(f"{part}.task", "the name of a task", task)
    for key, expected, kinds in _SIGNATURE_PARTS:
        found = value.get(key)
        if found is not None and not isinstance(found, kinds):
            raise wrong(f"{part}.{key}", expected, found)
    return value if isinstance(value, dict) else dict(value)


_SIGNATURE_PARTS: Final[tuple[tuple[str, str, tuple[type, ...]], ...]] = (
    ("args", "a list", (list, tuple)),
    ("kwargs", "a map", (Mapping,)),
    ("options", "a map", (Mapping,)),
    ("subtask_type", "a string or null", (str,)),
)


def signatures(value: Any, part: str) -> list[dict[str, Any]] | None:
    """Check a list of signatures; null stays None, and one lone signature becomes a list of one."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise wrong(part, "a list of signatures or null", value)
    checked: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        found = signature(item, f"{part}[{index}]")
        if found is None:
            raise wrong(f"{part}[{index}]", "a signature (a map)", item)
        checked.append(found)
    return checked
