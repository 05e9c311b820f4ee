"""The options of a call: which go where when a canvas is more than one task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: What comes after the whole: the business of its last task.
AFTER: Final = frozenset({"task_id", "group_id", "group_index", "chord", "chain", "link"})
#: What every task is told.
ALL: Final = frozenset({"link_error", "replaced_task_nesting", "stamped_headers"})
#: When the first may run; what follows runs when its turn comes.
WHEN: Final = frozenset({"countdown", "eta"})
#: Signatures that add up where two places name some.
_ADDED: Final = ("link", "link_error")


def listed(value: Any) -> list[Any]:
    """One or several values, or None, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def merged(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` over `own`; callbacks and errbacks add up, and a chain that is to follow follows the nearer one."""
    if not given:
        return dict(own)
    found = {**own, **given}
    for key in _ADDED:
        if own.get(key) and given.get(key):
            found[key] = united(own[key], given[key])
    if own.get("chain") and given.get("chain"):
        found["chain"] = [*given["chain"], *own["chain"]]  # in reverse: the last is called next
    return found


def united(first: Any, second: Any) -> list[Any]:
    """Both lists, what is in both once."""
    found = listed(first)
    found += [value for value in listed(second) if value not in found]
    return found


def stamps_in(options: Mapping[str, Any]) -> set[str]:
    """The keys that stamps occupy."""
    return set(options.get("stamped_headers") or ())


def portions(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The options for the first task alone, for all tasks, and for the last one."""
    everywhere = ALL | stamps_in(options)
    first = {key: value for key, value in options.items() if key not in AFTER and key not in everywhere}
    every = {key: value for key, value in options.items() if key in everywhere}
    last = {key: value for key, value in options.items() if key in AFTER}
    return first, every, last


def needs_one_end(options: Mapping[str, Any]) -> bool:
    """Whether something follows that can only follow one task."""
    return bool(options.get("chord") or options.get("chain") or options.get("link"))


__all__ = ["AFTER", "WHEN", "listed", "merged", "needs_one_end", "portions", "stamps_in", "united"]
