"""Coroutine functions as tasks on pools that run one task at a time: one event loop per thread, kept between tasks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import wraps
from typing import Any


class _Loop(threading.local):
    runner: asyncio.Runner | None = None
    pid: int = 0


_loop = _Loop()
#: Loops of a parent process.  Collecting one would close it, and what it watches is shared with the parent.
_inherited: list[asyncio.Runner] = []


def run_to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run `coroutine` in this thread's loop, in the context of the caller.

    Raises RuntimeError where a loop runs here already.
    """
    if _runs_here():
        coroutine.close()
        raise RuntimeError("a coroutine task cannot run to its end where an event loop runs; await task.run(...)")
    if _loop.runner is not None and _loop.pid != os.getpid():
        _inherited.append(_loop.runner)
        _loop.runner = None
    if _loop.runner is None:
        _loop.runner, _loop.pid = asyncio.Runner(), os.getpid()
    # Without a context of its own a coroutine would have that of the first one, and see its task as the current one.
    return _loop.runner.run(coroutine, context=copy_context())


def _runs_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with its coroutine run to its end."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return run_to_end(function(*args, **kwargs))

    return call


def close_loop() -> None:
    """End this thread's loop."""
    runner, _loop.runner = _loop.runner, None
    if runner is not None and _loop.pid == os.getpid():
        runner.close()
