"""Checks of the parts of a message: each says what was expected and what was found."""

from __future__ import annotations

from typing import Final

from celeriac.exceptions import ProtocolError
from celeriac.protocol.reprs import safe_repr

__all__ = ["MAX_COUNT", "MAX_NAME", "described", "is_text", "wrong"]

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
