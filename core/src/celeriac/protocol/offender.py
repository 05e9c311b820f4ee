"""Where in a value the part sits that a serializer cannot write; for serializers whose own errors do not say it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from celeriac.protocol.reprs import safe_repr

__all__ = ["find_refused"]

#: What the three elements of a task's body are called, so that an error speaks of the caller's arguments.
_BODY: Final = ("args", "kwargs", "embed")
_EMBED: Final = frozenset({"callbacks", "errbacks", "chain", "chord"})
_DEEPEST: Final = 100


def find_refused(value: Any, write: Callable[[Any], object]) -> tuple[str, Any]:
    """The path to the innermost part of `value` that `write` refuses by raising, and that part.

    Called only after a failure, so it need not be fast.
    """
    path, part = "value", value
    for _ in range(_DEEPEST):
        found = next((step for step in _parts(path, part) if _is_refused(step[1], write)), None)
        if found is None:
            break
        path, part = found
    return (path if len(path) <= 200 else f"{path[:150]}...{path[-40:]}"), part


def _is_refused(value: Any, write: Callable[[Any], object]) -> bool:
    try:
        write(value)
    except Exception:  # noqa: BLE001  # each library has errors of its own
        return True
    return False


def _parts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"{path}[{safe_repr(key, 60)}]", part
    elif isinstance(value, (list, tuple)):
        if len(value) == 3 and isinstance(value[2], dict) and value[2].keys() == _EMBED:
            yield from zip(_BODY, value, strict=True)
        else:
            for index, part in enumerate(value):
                yield f"{path}[{index}]", part
