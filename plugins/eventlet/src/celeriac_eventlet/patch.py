"""Making the standard library cooperate, before anything else is imported."""

from __future__ import annotations

import sys


def patch() -> None:
    """Replace what blocks in the standard library by what lets other green threads run."""
    from celeriac_eventlet.library import eventlet

    eventlet.monkey_patch()


def is_patched() -> bool:
    """Whether that has been done, by whomever; asked without importing eventlet, which warns of every later fork."""
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and bool(patcher.is_monkey_patched("socket"))
