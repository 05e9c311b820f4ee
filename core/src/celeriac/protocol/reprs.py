"""Text that shows a value to people, bounded in length and in the work it takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

__all__ = ["DEFAULT_MAXLEN", "DEFAULT_MAXLEVELS", "safe_repr"]

DEFAULT_MAXLEN: Final = 1024
DEFAULT_MAXLEVELS: Final = 3

#: Nesting that is followed even if a caller asks for more: each level is a Python frame.
_MOST_LEVELS: Final = 100
_ELLIPSIS: Final = "..."
#: Values whose own repr is short and can neither fail nor run foreign code.
_QUICK: Final = frozenset({bool, type(None), float})
#: Integers up to this many bits are always shown in full: 10**308 and the like.
_QUICK_BITS: Final = 1024
_QUICK_TEXT: Final = 64
_QUICK_ITEMS: Final = 8

_BRACKETS: Final[dict[Any, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}


def safe_repr(obj: object, maxlen: int = DEFAULT_MAXLEN, maxlevels: int = DEFAULT_MAXLEVELS) -> str:
    """A repr of `obj` of at most `maxlen` characters, cut with ``...``.

    Containers nested deeper than `maxlevels` show as ``...``, and so do cycles. Only as much of a
    large container or string is looked at as can be shown. An object whose own repr raises is shown by its type and the
    error. Never raises, save for what is no ordinary error (``KeyboardInterrupt`` and its like).
    """
    kind = type(obj)
    if kind in _QUICK and maxlen >= _QUICK_TEXT:  # what most tasks return
        return repr(obj)
    if kind is tuple or kind is dict:
        if not obj:
            return "()" if kind is tuple else "{}"
        if maxlen >= DEFAULT_MAXLEN and maxlevels >= 1 and _is_quick(obj):
            return repr(obj)
    writer = _Writer(maxlen, min(maxlevels, _MOST_LEVELS))
    writer.write(obj, 0)
    return writer.text()


def _is_quick(obj: Any) -> bool:
    """Whether `obj`, a tuple or dict, holds so little and so plain that the built-in repr can be used."""
    if len(obj) > _QUICK_ITEMS:
        return False
    values: Iterable[Any] = obj
    if type(obj) is dict:
        for key in obj:
            if type(key) is not str or len(key) > _QUICK_TEXT:
                return False
        values = obj.values()
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > _QUICK_TEXT or not value.isascii():
                return False
        elif kind is int:
            if not -0xFFFFFFFF < value < 0xFFFFFFFF and value.bit_length() > _QUICK_BITS // 8:
                return False
        elif kind not in _QUICK:
            return False
    return True


class _Writer:
    """Collects pieces until the budget is used up; then `full` is true and nothing is added."""

    __slots__ = ("_left", "_maxlen", "_maxlevels", "_open", "_parts", "full")

    def __init__(self, maxlen: int, maxlevels: int) -> None:
        self._parts: list[str] = []
        self._maxlen = maxlen
        self._maxlevels = maxlevels
        self._left = maxlen
        #: ids of the containers that are being written, to see cycles.
        self._open: set[int] = set()
        self.full = False

    def text(self) -> str:
        text = "".join(self._parts)
        if self.full:
            room = max(self._maxlen - len(_ELLIPSIS), 0)
            text = (text[:room] + _ELLIPSIS)[: self._maxlen]
        if text.isascii():
            return text
        # A foreign __repr__ may return lone surrogates, and then no header could be encoded.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")[: self._maxlen]

    def put(self, text: str) -> None:
        if self.full:
            return
        if len(text) > self._left:
            # One more than there is room for, so that text() sees what it cuts.
            self._parts.append(text[: self._left + 1])
            self.full = True
            return
        self._parts.append(text)
        self._left -= len(text)

    def write(self, obj: Any, level: int) -> None:
        if self.full:
            return
        kind = type(obj)
        if kind is str or kind is bytes or kind is bytearray:
            # A slice longer than the room keeps the cut visible.
            self.put(repr(obj[: self._left + 1]))
        elif kind is int:
            self.put(repr(obj) if obj.bit_length() <= _QUICK_BITS else _huge_int(obj))
        elif kind in _QUICK:
            self.put(repr(obj))
        else:
            self._write_object(obj, level)

    def _write_object(self, obj: Any, level: int) -> None:
        shape = _shape(type(obj))
        if shape is None:
            self.put(_foreign_repr(obj))
            return
        if level >= self._maxlevels or id(obj) in self._open:
            self.put(_ELLIPSIS)
            return
        self._open.add(id(obj))
        try:
            shape(self, obj, level)
        except Exception as exc:  # noqa: BLE001  # a subclass may break iteration; the repr must still be had
            self.put(_broken(obj, exc))
        finally:
            self._open.discard(id(obj))

    def items(self, pieces: Iterator[Any], level: int) -> int:
        """Write elements with commas between until there is no more room; return how many."""
        count = 0
        for piece in pieces:
            if self.full:
                break
            if count:
                self.put(", ")
            self.write(piece, level + 1)
            count += 1
        return count


def _shape(kind: type) -> Any:
    if issubclass(kind, dict):
        return _write_dict
    for base in _BRACKETS:
        if issubclass(kind, base):
            return _write_sequence
    params = getattr(kind, "__dataclass_params__", None)
    if params is not None and getattr(params, "repr", False) and is_dataclass(kind):
        return _write_dataclass
    return None


def _write_dict(writer: _Writer, obj: Any, level: int) -> None:
    kind: Any = type(obj)
    renamed = kind.__repr__ is not dict.__repr__
    writer.put(f"{kind.__name__}({{" if renamed else "{")
    # dict's own methods: those of a subclass may do anything
    for count, (key, value) in enumerate(dict.items(obj)):
        if writer.full:
            break
        if count:
            writer.put(", ")
        writer.write(key, level + 1)
        writer.put(": ")
        writer.write(value, level + 1)
    writer.put("})" if renamed else "}")


def _write_sequence(writer: _Writer, obj: Any, level: int) -> None:
    kind = type(obj)
    base = next(base for base in _BRACKETS if issubclass(kind, base))
    opening, closing = _BRACKETS[base]
    if kind is not base and kind.__repr__ is not base.__repr__:
        opening, closing = f"{kind.__name__}({opening}", f"{closing})"
    if not len(obj) and base in (set, frozenset):
        writer.put(f"{kind.__name__}()")
        return
    writer.put(opening)
    count = writer.items(base.__iter__(obj), level)
    writer.put("," + closing if base is tuple and count == 1 else closing)


def _write_dataclass(writer: _Writer, obj: Any, level: int) -> None:
    writer.put(f"{type(obj).__qualname__}(")
    count = 0
    for field in fields(obj):
        if not field.repr:
            continue
        if count:
            writer.put(", ")
        writer.put(f"{field.name}=")
        writer.write(getattr(obj, field.name), level + 1)
        count += 1
    writer.put(")")


def _foreign_repr(obj: Any) -> str:
    try:
        if isinstance(obj, int) and obj.bit_length() > _QUICK_BITS:
            return _huge_int(obj)
        return repr(obj)
    except Exception as exc:  # noqa: BLE001  # any error of foreign code: it is shown in place of the value
        return _broken(obj, exc)


def _broken(obj: Any, exc: Exception) -> str:
    return f"<{type(obj).__name__} at {id(obj):#x}: repr failed with {type(exc).__name__}>"


def _huge_int(number: int) -> str:
    # int to text is quadratic, and refused beyond sys.set_int_max_str_digits
    return f"<{'negative ' if number < 0 else ''}int of {number.bit_length()} bits>"
