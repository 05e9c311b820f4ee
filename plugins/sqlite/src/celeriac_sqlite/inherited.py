"""What a process that has forked must never touch again: SQLite's connections do not survive a fork."""

from __future__ import annotations

import atexit
import os
from typing import Any, Final, Protocol
from weakref import WeakSet


class Disownable(Protocol):
    """Something that belongs to the process that made it."""

    def disown(self) -> Any:
        """Forget it in the child without closing it; what is returned is kept alive for ever."""


_owned: Final[WeakSet[Any]] = WeakSet()
_kept: Final[list[Any]] = []


def belongs_to_this_process(thing: Disownable) -> None:
    """Have `thing` disowned in every child that this process forks."""
    _owned.add(thing)


def _disown_all() -> None:
    had_any = bool(_kept)
    kept = [thing.disown() for thing in list(_owned)]
    _owned.clear()
    _kept.extend(one for one in kept if one is not None)
    if _kept and not had_any:
        atexit.register(_never_deallocate)


def _never_deallocate() -> None:
    # The interpreter's end would close the parent's connections, and with them checkpoint and unlink
    # its log. Only a child that ends through the interpreter comes here; loading ctypes earlier would
    # cost every child of a pool memory.
    import ctypes

    for one in _kept:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_all)
