"""The types that a setting or a task option can have, and how a given value becomes one of them.

A value may come from Python, from an environment variable or from a command line, so a text that says exactly what
is wanted ("8", "true", "a,b") is taken for it; anything else of a wrong type is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

#: How a type is written in a `Setting` or `TaskOption`.  ``"seconds"`` is a number or a timedelta, ``"strings"`` a
#: tuple of texts, ``"any"`` whatever it is.
ValueType: TypeAlias = type | Literal["seconds", "strings", "any"]

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


def expected(kind: ValueType) -> str:
    """What a value of that type is, in words."""
    return _converter(kind)[1]


def convert(kind: ValueType, value: Any) -> Any:
    """`value` as that type.  Raises `ValueError` or `TypeError`, without a message worth showing, if it is none."""
    return _converter(kind)[0](value)


def is_supported(kind: Any) -> bool:
    """Whether a setting can have that type."""
    return kind is Any or kind in _CONVERTERS


def _converter(kind: ValueType) -> tuple[Callable[[Any], Any], str]:
    return _CONVERTERS["any" if kind is Any else kind]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError
    number = float(value)
    if math.isnan(number):
        raise ValueError
    return number


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise TypeError


def _seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else _number(value)


def _items(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise TypeError
    return list(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(value))


def _mapping(value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


_CONVERTERS: Final[dict[ValueType, tuple[Callable[[Any], Any], str]]] = {
    str: (_text, "a string"),
    int: (_integer, "an integer"),
    float: (_number, "a number"),
    bool: (_truth, "true or false"),
    "seconds": (_seconds, "a number of seconds or a timedelta"),
    "strings": (_texts, "a list of strings"),
    list: (_items, "a list"),
    tuple: (lambda value: tuple(_items(value)), "a list"),
    dict: (_mapping, "a mapping"),
    object: (lambda value: value, "any value"),
    "any": (lambda value: value, "any value"),
}
