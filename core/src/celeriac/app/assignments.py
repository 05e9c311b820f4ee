"""Settings of a command line: ``worker.prefetch_multiplier=1 broker_pool_limit=(int)4``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured
from celeriac.plugin import values

#: How a value becomes one of that type.
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": lambda text: values.convert(bool, text),
    "json": json.loads,
}


def assigned(arguments: Iterable[str]) -> dict[str, Any]:
    """Names and values; a dot in a name stands for an underscore.

    A type in parentheses says how the value is read, what looks like a JSON map or list is one, and anything else
    stays a text, which the setting itself converts.  Raises `ImproperlyConfigured` for what is no ``name=value``.
    """
    settings: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        name = name.strip().lower().strip(".").replace(".", "_")
        if not equals or not name.isidentifier():
            raise ImproperlyConfigured(f"{argument!r} is no setting: write name=value, as in worker.concurrency=4")
        settings[name] = _typed(argument, value.strip())
    return settings


def _typed(argument: str, value: str) -> Any:
    kind, close, text = value[1:].partition(")") if value.startswith("(") else ("", "", value)
    if not close:
        kind, text = "json" if value[:1] in {"{", "["} else "str", value
    try:
        return _READERS[kind](text)
    except (KeyError, ValueError, TypeError) as error:
        known = ", ".join(_READERS)
        raise ImproperlyConfigured(f"{argument!r}: {text!r} is no {kind} (the types are {known})") from error
