"""Why a value could not be written as JSON, and where in it the reason sits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from celeriac.protocol.json_limits import MAX_DEPTH
from celeriac.protocol.reprs import safe_repr

__all__ = ["find_offender"]

_PLAIN: Final = (str, int, float, bool, type(None))
#: About 4,300 decimal digits, beyond which Python neither writes nor reads them.
_LARGE_INT: Final = 14_280
_KEYS: Final = (str, int, float, bool, type(None))
#: What the three elements of a task's body are called, so that an error speaks of the caller's arguments.
_BODY: Final = ("args", "kwargs", "embed")
_EMBED: Final = frozenset({"callbacks", "errbacks", "chain", "chord"})
_HINTS: Final[dict[str, str]] = {
    "set": "a set is kept if its elements are plain values; else pass a list",
    "frozenset": "a set is kept if its elements are plain values; else pass a list",
    "bytearray": "pass bytes(value)",
    "memoryview": "pass bytes(value)",
    "generator": "pass list(value)",
    "ndarray": "pass value.tolist()",
    "Path": "pass str(value)",
    "PosixPath": "pass str(value)",
    "WindowsPath": "pass str(value)",
}
_HINT: Final = (
    "pass plain data (an id, a string, a list, a dict), give the class a __json__ method, or use another serializer"
)


def find_offender(value: Any, default: Callable[[Any], Any], error: BaseException | None) -> str:
    """One sentence that names the place in `value` and the reason.

    `default` turns a value that plain JSON does not know into one it does, or raises. `error` is what the
    encoder raised, None when it nested too deep. Called only after a failure, so it need not be fast.
    """
    roots = _roots(value)
    for name, root in roots:
        found = _search(name, root, default)
        if found is not None:
            return found
    if error is None or isinstance(error, RecursionError):
        return f"the value nests deeper than {MAX_DEPTH} levels, which no reader takes; pass flatter data"
    return f"the value is not JSON serialisable: {type(error).__name__}: {str(error)[:200]}"


def _roots(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, (list, tuple)) and len(value) == 3:
        embed = value[2]
        if isinstance(embed, dict) and embed.keys() == _EMBED:
            return list(zip(_BODY, value, strict=True))
    return [("value", value)]


def _search(name: str, root: Any, default: Callable[[Any], Any]) -> str | None:
    # A stack of iterators instead of recursion: what is searched may be as deep as memory allows.
    trouble = _leaf_trouble(name, root, default)
    if trouble is not None:
        return trouble
    stack: list[tuple[str, Any, Iterator[tuple[str, Any]]]] = [(name, root, _children(name, root, default))]
    on_path = {id(root)}
    while stack:
        path, holder, children = stack[-1]
        step = next(children, None)
        if step is None:
            stack.pop()
            on_path.discard(id(holder))
            continue
        child_path, child = step
        if isinstance(child, _PLAIN):
            if isinstance(child, int) and child.bit_length() > _LARGE_INT:
                return (
                    f"{_shortened(child_path)}: an integer of {child.bit_length()} bits is too large; pass hex(value)"
                )
            continue
        if id(child) in on_path:
            return f"{child_path}: a reference to something that contains it (a cycle) is not JSON serialisable"
        trouble = _leaf_trouble(child_path, child, default)
        if trouble is not None:
            return trouble
        if len(stack) >= MAX_DEPTH:
            return (
                f"{_shortened(path)}: nested deeper than {MAX_DEPTH} levels, which no reader takes; pass flatter data"
            )
        stack.append((child_path, child, _children(child_path, child, default)))
        on_path.add(id(child))
    return None


def _leaf_trouble(path: str, value: Any, default: Callable[[Any], Any]) -> str | None:
    """What is wrong with `value` itself, not with what it holds."""
    path = _shortened(path)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, _KEYS):
                return f"{path}: a key of type {type(key).__name__} is not JSON serialisable; use strings as keys"
        return None
    if isinstance(value, (list, tuple, *_PLAIN)):
        return None
    try:
        default(value)
    except TypeError as exc:
        kind = type(value).__name__
        if getattr(value, "__json__", None) is None:
            return f"{path}: object of type {kind} is not JSON serialisable; {_HINTS.get(kind, _HINT)}"
        return f"{path}: {kind}.__json__ raised TypeError: {str(exc)[:200]}"
    except Exception as exc:  # noqa: BLE001  # foreign __json__ and encoders may raise anything; it is reported, not hidden
        return f"{path}: turning {type(value).__name__} into JSON raised {type(exc).__name__}: {str(exc)[:200]}"
    return None


def _children(path: str, value: Any, default: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        return ((f"{path}[{safe_repr(key, 60)}]", child) for key, child in value.items())
    if isinstance(value, (list, tuple)):
        return ((f"{path}[{index}]", child) for index, child in enumerate(value))
    if isinstance(value, _PLAIN):
        return iter(())
    return iter([(f"{path}.__json__()", default(value))])


def _shortened(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:150]}...{path[-40:]}"
