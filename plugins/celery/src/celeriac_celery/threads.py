"""Threads, and what each of them has for itself (``celery.utils.threads``)."""

from __future__ import annotations

import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any


class bgThread(threading.Thread):  # noqa: N801  # Celery's name
    """Calls `body` again and again, until it is stopped."""

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or type(self).__name__, daemon=True)
        self._asked = threading.Event()
        self._ended = threading.Event()

    def body(self) -> None:
        """What it does; a subclass says so."""
        raise NotImplementedError

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Tell of an error of `body`."""
        print(msg.format(*fmt), file=sys.stderr)  # noqa: T201  # logging may be what has failed
        traceback.print_exc(None, sys.stderr)

    def run(self) -> None:
        """An error of `body` ends the process: what depends on the thread would wait for ever."""
        try:
            while not self._asked.is_set():
                try:
                    self.body()
                except Exception as error:  # noqa: BLE001  # it is told, and ends the process
                    self.on_crash("{0!r} crashed: {1!r}", self.name, error)
                    sys.stderr.flush()
                    os._exit(1)
        finally:
            self._ended.set()

    def stop(self) -> None:
        """Let it end, and wait for that; tolerates never started."""
        self._asked.set()
        if self.is_alive():
            self._ended.wait()
            self.join(threading.TIMEOUT_MAX)


class Local(threading.local):
    """Attributes that each thread has for itself."""


class LocalStack:
    """A stack that each thread has for itself."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def stack(self) -> list[Any]:
        """All of it, the top last."""
        found: list[Any] = self._local.__dict__.setdefault("stack", [])
        return found

    def push(self, obj: Any) -> list[Any]:
        """Put something on top."""
        self.stack.append(obj)
        return self.stack

    def pop(self) -> Any:
        """Take off what is on top; None where nothing is."""
        return self.stack.pop() if self.stack else None

    @property
    def top(self) -> Any:
        """What is on top; None where nothing is."""
        return self.stack[-1] if self.stack else None

    def __len__(self) -> int:
        return len(self.stack)


class LocalManager:
    """Clears what this thread has in some locals."""

    def __init__(self, locals: Any = None, ident_func: Callable[[], int] | None = None) -> None:
        self.locals = [locals] if isinstance(locals, (Local, LocalStack)) else list(locals or [])
        self.get_ident = ident_func or get_ident

    def cleanup(self) -> None:
        """Forget it all."""
        for each in self.locals:
            each.stack.clear() if isinstance(each, LocalStack) else each.__dict__.clear()


@contextmanager
def default_socket_timeout(timeout: float | None) -> Iterator[None]:
    """New sockets wait no longer than that, while the block lasts."""
    before = socket.getdefaulttimeout()
    if timeout is not None:
        socket.setdefaulttimeout(timeout)
    try:
        yield
    finally:
        if timeout is not None:
            socket.setdefaulttimeout(before)


__all__ = ["Local", "LocalManager", "LocalStack", "bgThread", "default_socket_timeout", "get_ident"]
