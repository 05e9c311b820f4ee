"""Exceptions in results: ``{"exc_type", "exc_message", "exc_module"}``.

Written so that Celery reads them, and read so that a hostile result store can at worst choose among the
exception classes that are loaded already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import count
from types import ModuleType
from typing import Any, Final

from celeriac import exceptions
from celeriac.exceptions import SecurityError
from celeriac.protocol import json
from celeriac.protocol.reprs import safe_repr
from celeriac.protocol.shapes import MAX_NAME, described, is_text, wrong

__all__ = ["decode_exception", "encode_exception"]

#: How deep ``__cause__`` of causes, and groups in groups, are kept.
MAX_CAUSES: Final = 5
#: How many exceptions of a group are kept, and how many of one result altogether.
MAX_MEMBERS: Final = 20
MAX_EXCEPTIONS: Final = 100
#: How many notes of an exception are kept, and how long each may be in characters.
MAX_NOTES: Final = 20
MAX_NOTE: Final = 4000
_MAX_ARGS: Final = 100

#: Our classes are written under this name: a Celery client looks there, and has no module celeriac.exceptions.
_WRITTEN: Final = "celery.exceptions"
_OURS: Final = exceptions.__name__
#: Modules whose exception classes are ours under the same name.
_ALIASES: Final = frozenset({_WRITTEN, "billiard.exceptions", _OURS})
_BUILTINS: Final = frozenset({"builtins", "exceptions", "__builtin__"})


def encode_exception(exc: BaseException, encode: Callable[[Any], object] = json.dumps) -> dict[str, Any]:
    """The map that stands for `exc` in a result.

    Arguments that `encode` (the serializer of the result store) refuses are replaced by their repr.
    Beyond Celery's three keys there are ``exc_notes`` (the notes), ``exc_cause`` (the map of its ``__cause__``, up to 5
    deep) and ``exc_group`` (the maps of what an exception group holds), each only where there are any; readers of
    Celery ignore them.
    """
    return _encode(exc, encode, MAX_CAUSES, {id(exc)})


def _encode(exc: BaseException, encode: Callable[[Any], object], causes: int, seen: set[int]) -> dict[str, Any]:
    kind = type(exc)
    found: dict[str, Any] = {
        # Nobody finds a class that was made in a function; what is behind is its name there.
        "exc_type": kind.__qualname__.rpartition("<locals>.")[2],
        "exc_message": [_plain(arg, encode) for arg in exc.args],
        "exc_module": _WRITTEN if kind.__module__ == _OURS else kind.__module__,
    }
    notes = getattr(exc, "__notes__", None)
    if isinstance(notes, (list, tuple)) and notes:
        found["exc_notes"] = [str(note)[:MAX_NOTE] for note in notes[:MAX_NOTES] if isinstance(note, str)]
    members = exc.exceptions[:MAX_MEMBERS] if isinstance(exc, BaseExceptionGroup) else ()
    inner = [_encode(member, encode, causes - 1, seen) for member in members if _is_kept(member, causes, seen)]
    if inner:
        found["exc_group"] = inner
    cause = exc.__cause__
    if cause is not None and _is_kept(cause, causes, seen):
        found["exc_cause"] = _encode(cause, encode, causes - 1, seen)
    return found


def _is_kept(exc: BaseException, causes: int, seen: set[int]) -> bool:
    if causes <= 0 or id(exc) in seen or len(seen) >= MAX_EXCEPTIONS:
        return False
    seen.add(id(exc))
    return True


def _plain(value: Any, encode: Callable[[Any], object]) -> Any:
    if value is None or type(value) in (str, bool, float):
        return value
    try:
        encode(value)
        is_read_by_all = encode is not json.dumps or json.is_read_by_kombu(value)
    except Exception:  # noqa: BLE001  # each serializer has errors of its own
        return safe_repr(value)
    return value if is_read_by_all else safe_repr(value)


def decode_exception(value: object) -> BaseException:
    """The exception that `value`, a map of `encode_exception` or of Celery, stands for.

    The class is looked up in modules that are loaded already, nothing is imported, and only definitions
    of modules and classes are followed. An unknown class becomes one made up for the occasion, of the same name.
    Where the arguments do not fit the class's constructor, the exception is built without calling it.

    Raises SecurityError when the name leads to something that is no exception class, ProtocolError
    when `value` is not such a map.
    """
    if isinstance(value, BaseException):  # serializers that carry objects
        return value
    return _decode(value, MAX_CAUSES, count())


def _decode(value: object, causes: int, counted: Iterator[int]) -> BaseException:
    if not isinstance(value, Mapping):
        raise wrong("exception", "a map with 'exc_type', 'exc_message' and 'exc_module'", value)
    name = value.get("exc_type")
    module = value.get("exc_module")
    if not isinstance(name, str) or not name or not _is_name(name):
        raise wrong("exception, 'exc_type'", "the name of a class", name)
    if module is not None and (not isinstance(module, str) or not _is_name(module)):
        raise wrong("exception, 'exc_module'", "the name of a module or null", module)
    members = _members(value.get("exc_group"), causes, counted)
    exc = _build(name, module, _arguments(value.get("exc_message")), members)
    for note in _notes(value.get("exc_notes")):
        exc.add_note(note)
    cause = value.get("exc_cause")
    if cause is not None and causes > 0 and next(counted) < MAX_EXCEPTIONS:
        exc.__cause__ = _decode(cause, causes - 1, counted)
    return exc


def _members(group: Any, causes: int, counted: Iterator[int]) -> list[BaseException]:
    if group is None or causes <= 0:
        return []
    if not isinstance(group, (list, tuple)):
        raise wrong("exception, 'exc_group'", "a list of exceptions", group)
    return [_decode(member, causes - 1, counted) for member in group[:MAX_MEMBERS] if next(counted) < MAX_EXCEPTIONS]


def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME and "\0" not in text and is_text(text)  # what a class can be called


def _arguments(message: Any) -> list[Any]:
    if message is None:
        return []
    return list(message[:_MAX_ARGS]) if isinstance(message, (list, tuple)) else [message]


def _notes(notes: Any) -> list[str]:
    if notes is None:
        return []
    if not isinstance(notes, (list, tuple)) or not all(isinstance(note, str) for note in notes):
        raise wrong("exception, 'exc_notes'", "a list of texts", notes)
    return [note[:MAX_NOTE] for note in notes[:MAX_NOTES]]


def _build(name: str, module: str | None, args: list[Any], members: list[BaseException]) -> BaseException:
    kind = _find(name, module)
    if members and (kind is None or issubclass(kind, BaseExceptionGroup)):
        return _group(kind, name, module or _WRITTEN, args, members)
    if kind is None:
        return _made_up(name, module or _WRITTEN)(*args)
    try:
        exc: object = kind(*args)
    except Exception:  # noqa: BLE001  # a constructor with other parameters, or one that checks them
        exc = None
    if isinstance(exc, BaseException):
        return exc
    return _without_constructor(kind, args) or _made_up(name, module or _WRITTEN)(*args)


def _group(
    kind: type[BaseException] | None, name: str, module: str, args: list[Any], members: list[BaseException]
) -> BaseException:
    message = args[0] if args and isinstance(args[0], str) else ""
    if kind is not None:
        try:
            exc: object = kind(message, members)
        except Exception:  # noqa: BLE001  # as in _build
            exc = None
        if isinstance(exc, BaseException):
            return exc
    return _made_up(name, module, BaseExceptionGroup)(message, members)


def _without_constructor(kind: type[BaseException], args: list[Any]) -> BaseException | None:
    """An instance of `kind` with `args`, its ``__init__`` not called, so that ``except`` clauses still catch it."""
    try:
        exc = BaseException.__new__(kind, *args)
        str(exc)  # a __str__ that needs what __init__ sets would fail in whoever logs it
    except Exception:  # noqa: BLE001  # __str__ is foreign code; and some built-in classes refuse this way
        return None
    exc.add_note(f"{kind.__qualname__} was rebuilt from its args alone: its constructor does not take them")
    return exc


def _find(name: str, module: str | None) -> type[BaseException] | None:
    """The loaded exception class of that name; None when there is none."""
    parts = name.split(".")
    for part in parts:
        if part.startswith("__"):
            raise SecurityError(f"a result names {described(name)} as its exception, which is no class name")
    if module is None or "<locals>" in parts:  # as others name what was made in a function
        return None
    if module in _ALIASES:
        getattr(exceptions, parts[0], None)  # some of ours are made when they are first asked for
    for place in _places(module):
        found = _walk(place, parts)
        if found is None:
            continue
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
        raise SecurityError(
            f"a result names {described(f'{module}:{name}')} as its exception, which is no exception class; "
            "somebody may be writing to the result store"
        )
    return None


def _places(module: str) -> list[ModuleType]:
    names = [module]
    if module in _ALIASES:
        names.insert(0, _OURS)
    elif module in _BUILTINS:
        names = ["builtins"]
    found = (sys.modules.get(name) for name in names)
    return [place for place in found if isinstance(place, ModuleType)]


def _walk(place: ModuleType, parts: list[str]) -> object:
    """What `parts` lead to, None when absent.

    Only dictionaries are read: no attribute access, hence no module ``__getattr__`` and no descriptor is run.
    """
    found: object = vars(place).get(parts[0])
    for part in parts[1:]:
        if found is None:
            return None
        if not isinstance(found, type):
            return found  # a function, a module, ...: the caller refuses it
        found = next((vars(base)[part] for base in found.__mro__ if part in vars(base)), None)
    return found


@lru_cache(maxsize=256)
def _made_up(name: str, module: str, base: type[BaseException] = Exception) -> type[BaseException]:
    """A class of that name for an exception whose own class is not loaded here."""
    return type(name.rpartition(".")[2] or name, (base,), {"__module__": module, "__qualname__": name})
