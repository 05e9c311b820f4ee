"""Coroutine functions as tasks on pools that run one task at a time: one event loop per thread, kept between tasks."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import copy_context
from functools import wraps
from typing import Any

from celeriac.exceptions import SoftTimeLimitExceeded


class _Loop(threading.local):
    runner: asyncio.Runner | None = None
    pid: int = 0
    run: _Run | None = None


_loop = _Loop()
#: Loops of a parent process.  Collecting one would close it, and what it watches is shared with the parent.
_inherited: list[asyncio.Runner] = []


def run_to_end(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run `coroutine` in this thread's loop, in the context of the caller.

    What interrupts the thread meanwhile, such as a soft time limit, is raised in the coroutine where it waits; it may
    clean up, and has ended when this returns.  Raises RuntimeError where a loop runs here already.
    """
    if _runs_here():
        coroutine.close()
        raise RuntimeError("a coroutine task cannot run to its end where an event loop runs; await task.run(...)")
    run = _loop.run = _Run(coroutine, _own_loop())
    try:
        return run.to_end()
    finally:
        _loop.run = None


def _own_loop() -> asyncio.AbstractEventLoop:
    if _loop.runner is not None and _loop.pid != os.getpid():
        _inherited.append(_loop.runner)
        _loop.runner = None
    if _loop.runner is None:
        _loop.runner, _loop.pid = asyncio.Runner(), os.getpid()
        _loop.runner.get_loop().set_exception_handler(_note_error)
    return _loop.runner.get_loop()


def _note_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback of the loop has raised: a limit that was meant for the task, or an error as any other."""
    error = context.get("exception")
    if "handle" in context and isinstance(error, SoftTimeLimitExceeded) and _loop.run is not None:
        _loop.run.interrupt(error)
    else:
        loop.default_exception_handler(context)


class _Run:
    """One coroutine from its beginning to its end, with what it leaves behind."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop
        # Without a context of its own a coroutine would have that of the first one, and see its task as the current.
        self._task = loop.create_task(self._whole(), context=copy_context())
        self._interruption: BaseException | None = None
        #: Asynchronous generators that are about to be closed.
        self._dropped = 0
        self._closing: set[asyncio.Task[None]] = set()

    def to_end(self) -> Any:
        """Turn the loop until the coroutine has ended."""
        while True:
            try:
                return self._loop.run_until_complete(self._task)
            except BaseException as error:  # raised again: by this, or in the coroutine
                if self._task.done():
                    self._coroutine.close()  # it may not even have begun
                    if self._interruption is not None:
                        raise self._interruption  # noqa: B904  # its own cause stands
                    raise
                self.interrupt(error)

    def interrupt(self, error: BaseException) -> None:
        """Have `error` raised in the coroutine, where it waits."""
        self._interruption = error
        self._task.cancel()

    async def _whole(self) -> Any:
        """The coroutine, and then the ends of the asynchronous generators that it has dropped."""
        sys.set_asyncgen_hooks(finalizer=self._drop)  # until the loop stops, which sets those that there were before
        try:
            return await self
        finally:
            while self._dropped or self._closing:
                await (asyncio.wait(self._closing) if self._closing else asyncio.sleep(0))

    def __await__(self) -> Generator[Any, None, Any]:
        """The coroutine, with its cancellation made what it stands for."""
        error: BaseException | None = None
        while True:
            try:
                step = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as stop:
                return stop.value
            error = None
            try:
                yield step
            except BaseException as raised:  # noqa: BLE001  # whatever it is, it is the coroutine's
                error = self._meant_by(raised)

    def _meant_by(self, raised: BaseException) -> BaseException:
        if self._interruption is None or not isinstance(raised, asyncio.CancelledError):
            return raised
        self._task.uncancel()
        error, self._interruption = self._interruption, None
        return error

    def _drop(self, generator: AsyncGenerator[Any, Any]) -> None:
        """A generator that has not come to its end is collected, by any thread."""
        if not self._loop.is_closed():
            self._dropped += 1
            self._loop.call_soon_threadsafe(self._close, generator)

    def _close(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._dropped -= 1
        task = self._loop.create_task(_closed(generator))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _closed(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()


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
