"""Coroutine functions as tasks on pools that run one task at a time: one event loop per thread, kept between tasks."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any


class _Loop(threading.local):
    runner: asyncio.Runner | None = None
    pid: int = 0


_loop = _Loop()


def run_to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run `coroutine` in this thread's loop.  Raises RuntimeError where a loop runs here already."""
    if _loop.runner is None or _loop.pid != os.getpid():  # a loop inherited by a fork belongs to the parent
        _loop.runner, _loop.pid = asyncio.Runner(), os.getpid()
    return _loop.runner.run(coroutine)


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
