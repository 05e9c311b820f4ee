"""Values as `marshal` can carry them."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, Final

#: Deeper than any header of use; marshal itself gives up at 2,000.
MAX_DEPTH: Final = 64


def plain(value: Any, depth: int = 0) -> Any:
    """`value` with everything in it made a plain type: what AMQP tables and subclasses bring along.

    Dates and times become ISO 8601 text, whatever else has no plain form becomes its `str`.
    """
    if value is None or type(value) in {bool, int, float, str, bytes}:
        return value
    if depth >= MAX_DEPTH:
        return str(value)
    if isinstance(value, dict):
        return {plain(key, depth + 1): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, tuple | set | frozenset):
        return tuple(plain(item, depth + 1) for item in value)
    return _plain_leaf(value)


def _plain_leaf(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    # Subclasses of the plain types; bool has none.
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value) if base is not str else str.__str__(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return str(value)
