"""Signatures as maps: each is checked with all that it is made of, before anybody relies on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from celeriac.exceptions import ProtocolError
from celeriac.protocol.json_limits import MAX_DEPTH
from celeriac.protocol.shapes import MAX_COUNT, MAX_NAME, described, is_text

__all__ = ["MAX_NESTED", "check_signature", "signature", "signatures"]

#: So many signatures may be in each other: what JSON has room for, where each takes three levels.
MAX_NESTED: Final = MAX_DEPTH // 3

_REMEDY: Final = "; a signature is what task.s(...), group(...), chain(...) or chord(...) gives"
#: Options that are ids: of tasks, groups and queues.
_IDS: Final = ("task_id", "group_id", "root_id", "parent_id", "reply_to")
#: So many names of a place are shown.
_SHOWN: Final = 12

#: Where something is: in which other place, and under which name or number there.  A plain tuple, and put into words
#: for an error only: there is one for each part of each signature.
_Place = tuple[Any, str | int]
#: Signatures that are yet to be checked, each with its place, and how many are in each other there.
_Found = list[tuple[Any, _Place, int]]
_Check = Callable[[Any, _Place, int, _Found], None]


def signature(value: Any, part: str) -> dict[str, Any] | None:
    """Check a signature map; null stays None.  Raises `ProtocolError`, which names the part of it that is wrong."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise _wrong((None, part), "a signature (a map) or null", value)
    check_signature(value, part)
    return value if isinstance(value, dict) else dict(value)


def signatures(value: Any, part: str) -> list[dict[str, Any]] | None:
    """Check a list of signatures; null stays None, and one lone signature becomes a list of one."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise _wrong((None, part), "a list of signatures or null", value)
    found: _Found = []
    _add(value, (None, part), 0, found)
    _check(found)
    return [each if isinstance(each, dict) else dict(each) for each in value]


def check_signature(value: Any, part: str) -> None:
    """Check a signature map, which an error calls `part`, and every one that is in it.  Raises `ProtocolError`."""
    _check([(value, (None, part), 1)])


def _check(found: _Found) -> None:
    # Without recursion: how deep it is, is for a stranger to say.
    while found:
        value, place, depth = found.pop()
        if type(value) is not dict and not isinstance(value, Mapping):
            raise _wrong(place, "a signature (a map)", value)
        if depth > MAX_NESTED:
            told = f"{_told(place)}: more than {MAX_NESTED} signatures in each other are not read"
            raise ProtocolError(f"{told}; put a task between groups that follow each other, or call some from a task")
        _check_one(value, place, depth, found)


def _check_one(value: Mapping[str, Any], place: _Place, depth: int, found: _Found) -> None:
    """Check one, and add to `found` the signatures in it."""
    get = value.get
    task, args, kind = get("task"), get("args"), get("subtask_type")
    if not isinstance(task, str) or not 0 < len(task) <= MAX_NAME or not (task.isascii() or is_text(task)):
        raise _wrong((place, "task"), f"the name of a task, of 1 to {MAX_NAME} characters", task)
    if args is not None and not isinstance(args, (list, tuple)):
        raise _wrong((place, "args"), "a list", args)
    if (kwargs := get("kwargs")) is not None and (kwargs or type(kwargs) is not dict):
        _check_names(kwargs, place, "kwargs")
    if (options := get("options")) is not None and (options or type(options) is not dict):
        _check_options(options, (place, "options"), depth, found)
    if kind is not None and not isinstance(kind, str):
        raise _wrong((place, "subtask_type"), "a string or null", kind)
    check = _BY_KIND.get(kind or "") or _BY_TASK.get(task)
    if check is not None:
        check(kwargs or {}, (place, "kwargs"), depth, found)


def _check_names(value: Any, place: _Place, part: str) -> None:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise _wrong((place, part), "a map", value)
    for name in value:
        if not isinstance(name, str):
            raise _wrong((place, part), "names as keys", name)


# -- options ----------------------------------------------------------------------------------------------------------


def _check_options(options: Any, place: _Place, depth: int, found: _Found) -> None:
    if type(options) is not dict and not isinstance(options, Mapping):
        raise _wrong(place, "a map", options)
    for name, value in options.items():
        if not isinstance(name, str):
            raise _wrong(place, "names as keys", name)
        if value is not None and (check := _OPTIONS.get(name)) is not None:
            check(value, (place, name), depth, found)
    if "kept" in options and options["kept"] and not options.get("task_id"):
        raise _wrong((place, "task_id"), "the id under which the signature is kept", options.get("task_id"))


def _check_id(value: Any, place: _Place, _: int, __: _Found) -> None:
    if isinstance(value, str) and len(value) <= MAX_NAME and (value.isascii() or is_text(value)):
        return
    raise _wrong(place, f"text of at most {MAX_NAME} characters, or null", value)


def _check_links(value: Any, place: _Place, depth: int, found: _Found) -> None:
    """One or several."""
    if isinstance(value, (list, tuple)):
        _add(value, place, depth, found)
    else:
        _check_part(value, place, depth, found)


def _check_list(value: Any, place: _Place, depth: int, found: _Found) -> None:
    if not isinstance(value, (list, tuple)):
        raise _wrong(place, "a list of signatures", value)
    _add(value, place, depth, found)


def _check_part(value: Any, place: _Place, depth: int, found: _Found) -> None:
    found.append((value, place, depth + 1))


def _check_stamped(value: Any, place: _Place, _: int, __: _Found) -> None:
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in value):
        raise _wrong(place, "a list of names, or null", value)


def _check_count(value: Any, place: _Place, _: int, __: _Found) -> None:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise _wrong(place, f"a whole number from 0 to {MAX_COUNT}, or null", value)


def _check_map(value: Any, place: _Place, _: int, __: _Found) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(place, "a map or null", value)


def _refuse(value: Any, place: _Place, _: int, __: _Found) -> None:
    """What is no option: a call is copied and sent by functions that take these."""
    raise _wrong(place, "nothing, as arguments are beside the options", value)


_OPTIONS: Final[Mapping[str, _Check]] = {
    **dict.fromkeys(_IDS, _check_id),
    **dict.fromkeys(("self", "args", "kwargs"), _refuse),
    "link": _check_links,
    "link_error": _check_links,
    "chain": _check_list,
    "chord": _check_part,
    "stamped_headers": _check_stamped,
    "group_index": _check_count,
    "replaced_task_nesting": _check_count,
    "headers": _check_map,
}


# -- what composites are made of --------------------------------------------------------------------------------------


def _check_tasks(kwargs: Mapping[str, Any], place: _Place, depth: int, found: _Found) -> None:
    """The kwargs of a group or a chain."""
    _check_list(kwargs.get("tasks"), (place, "tasks"), depth, found)
    _check_first(kwargs, place)


def _check_chord(kwargs: Mapping[str, Any], place: _Place, depth: int, found: _Found) -> None:
    """Those of a chord, whose header is a group, or the list of tasks that Celery makes of one, and may lack a body."""
    header, body = kwargs.get("header"), kwargs.get("body")
    if not isinstance(header, (list, tuple, Mapping)):
        raise _wrong((place, "header"), "a group, or a list of signatures", header)
    _check_links(header, (place, "header"), depth, found)
    if body is not None:
        _check_part(body, (place, "body"), depth, found)
    _check_first(kwargs, place)


def _check_first(kwargs: Mapping[str, Any], place: _Place) -> None:
    """The keywords that are meant for the first task."""
    if kwargs.get("kwargs") is not None:
        _check_names(kwargs["kwargs"], place, "kwargs")


def _check_called(kwargs: Mapping[str, Any], place: _Place, depth: int, found: _Found) -> None:
    """The kwargs of what calls a task, or the task of a name, for each element of a list."""
    task, elements = kwargs.get("task"), kwargs.get("it")
    if not isinstance(task, str) or not task:
        _check_part(task, (place, "task"), depth, found)
    if not isinstance(elements, Iterable) or isinstance(elements, (str, bytes, Mapping)):
        raise _wrong((place, "it"), "a list", elements)


def _check_chunks(kwargs: Mapping[str, Any], place: _Place, depth: int, found: _Found) -> None:
    _check_called(kwargs, place, depth, found)
    size = kwargs.get("n")
    if type(size) is not int or not 1 <= size <= MAX_COUNT:
        raise _wrong((place, "n"), f"a whole number from 1 to {MAX_COUNT}", size)


#: By ``subtask_type``, and where there is none by the name of the task.
_BY_KIND: Final[Mapping[str, _Check]] = {
    "group": _check_tasks,
    "chain": _check_tasks,
    "chord": _check_chord,
    "xmap": _check_called,
    "xstarmap": _check_called,
    "chunks": _check_chunks,
}
#: What has no ``subtask_type``.
_BY_TASK: Final = {"celery.map": _check_called, "celery.starmap": _check_called, "celery.chunks": _check_chunks}


def _add(values: Iterable[Any], place: _Place, depth: int, found: _Found) -> None:
    inner = depth + 1
    found.extend([(value, (place, index), inner) for index, value in enumerate(values)])


# -- errors -----------------------------------------------------------------------------------------------------------


def _wrong(place: _Place, expected: str, value: object) -> ProtocolError:
    return ProtocolError(f"{_told(place)}: expected {expected}, found {described(value)}{_REMEDY}")


def _told(place: _Place) -> str:
    """As in ``callbacks[0].kwargs.tasks[2].options``."""
    names: list[str] = []
    outer: Any = place
    while outer is not None:
        outer, name = outer
        names.append(f"[{name}]" if isinstance(name, int) else name if outer is None else f".{name}")
    if len(names) > _SHOWN:
        names[_SHOWN // 2 : -_SHOWN // 2] = ["..."]
    return "".join(reversed(names))
