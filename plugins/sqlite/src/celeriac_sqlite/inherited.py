"""What a process that has forked must never touch again: SQLite's connections do not survive a fork."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import WeakSet, finalize


class Disownable(Protocol):
    """Something that belongs to the process that made it."""

    def disown(self) -> Any:
        """Forget it in the child without closing it; what is returned is kept alive for ever."""


#: Held while SQLite opens or closes, in which it locks what all connections of the process share; no fork comes then,
#: as the child would find that locked for ever.
opening: Final = threading.RLock()

_owned: Final[WeakSet[Any]] = WeakSet()
_kept: Final[list[Any]] = []


def belongs_to_this_process(thing: Disownable) -> None:
    """Have `thing` disowned in every child that this process forks."""
    _owned.add(thing)


def release(owner: Any, close: Callable[[], Any], inherited: Callable[[], Any]) -> finalize[..., Any]:
    """Have `close` called when `owner` is collected, or by who calls what is returned; once.

    In a child of this process `inherited` is called in its place, and what it returns is kept alive for ever: others
    whom the fork concerns may let go of `owner` before it has been disowned.
    """
    return finalize(owner, _end, os.getpid(), close, inherited)


def _end(pid: int, close: Callable[[], Any], inherited: Callable[[], Any]) -> None:
    if os.getpid() == pid:
        close()
    else:
        _keep([inherited()])


def _disown_all() -> None:
    kept = [thing.disown() for thing in list(_owned)]
    _owned.clear()
    _keep(kept)


def _keep(things: list[Any]) -> None:
    had_any = bool(_kept)
    _kept.extend(one for one in things if one is not None)
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
    os.register_at_fork(before=opening.acquire, after_in_parent=opening.release, after_in_child=opening.release)
    os.register_at_fork(after_in_child=_disown_all)
