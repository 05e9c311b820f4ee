"""Periodic tasks that are added by code: entries of ``beat_schedule``, kept until that has been read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from celeriac.app.configuration import Settings

Entry = dict[str, Any]

#: What a schedule that is an object has; the classes themselves need not be loaded to tell.
_METHODS: Final = ("is_due", "remaining_estimate")


def entry_of(
    schedule: Any, sig: Any, args: Sequence[Any], kwargs: Mapping[str, Any], name: str | None, options: dict[str, Any]
) -> tuple[str, Entry]:
    """The name and the entry of ``beat_schedule`` for a signature, a task or the name of one.

    Arguments are added to those of a signature.  Raises TypeError for what is no schedule, or no task.
    """
    if not is_schedule(schedule):
        raise TypeError(
            f"{schedule!r} is no schedule: give seconds, a timedelta, or an object of celeriac.schedules such as "
            "crontab(minute=0)"
        )
    if isinstance(sig, str):
        task, own, shown = sig, {}, _shown(sig, args, kwargs)
        args, kwargs = tuple(args), dict(kwargs)
    elif isinstance(sig, Mapping) and "task" in sig:
        if args or kwargs:
            sig = sig.clone(args, kwargs)  # type: ignore[attr-defined]  # a signature is a map with methods
        task, own, shown = sig["task"], dict(sig.get("options") or {}), repr(sig)
        args, kwargs = tuple(sig.get("args") or ()), dict(sig.get("kwargs") or {})
    elif isinstance(getattr(sig, "name", None), str):
        task, own, shown = sig.name, {}, _shown(sig.name, args, kwargs)
        args, kwargs = tuple(args), dict(kwargs)
    else:
        raise TypeError(f"{sig!r} is neither a signature, nor a task, nor the name of one")
    entry = {"schedule": schedule, "task": task, "args": args, "kwargs": kwargs, "options": {**own, **options}}
    return name or shown, entry


def is_schedule(value: Any) -> bool:
    """Whether beat can tell from it when a task is due: a number of seconds, a timedelta, or a schedule."""
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float, timedelta)) or all(hasattr(value, name) for name in _METHODS)


def add_entries(conf: Settings, entries: Mapping[str, Entry]) -> None:
    """Put entries into ``beat_schedule``, over those of the same name."""
    if entries:
        conf.update({"beat_schedule": {**conf.beat_schedule, **entries}})


def _shown(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    return f"{name}({', '.join([*map(repr, args), *(f'{key}={value!r}' for key, value in kwargs.items())])})"
