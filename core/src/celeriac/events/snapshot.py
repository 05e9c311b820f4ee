"""Cameras: what takes a picture of the cluster's state every so often."""

# Kombu's connections have no annotations.
# mypy: allow-untyped-calls
from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from celeriac.app.current import get_current_app
from celeriac.app.names import symbol
from celeriac.events.watching import watch
from celeriac.exceptions import ImproperlyConfigured
from celeriac.signals import Signal

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.events.state import State

__all__ = ["Polaroid", "evcam"]

logger = logging.getLogger("celeriac.events.snapshot")


class Polaroid:
    """The base of cameras: define `on_shutter`, which is called every `freq` seconds with the state.

    `maxrate` (``"10/m"``, or pictures a second) skips pictures that would come sooner.  `on_cleanup` is called every
    `cleanup_freq` seconds.  A `timer` calls it, anything with ``call_repeatedly(seconds, function)`` that gives
    something with ``cancel()``; without one a thread of its own does.
    """

    #: Whether the tasks that have ended are forgotten after each picture.
    clear_after: ClassVar[bool] = False

    timer: Any = None
    app: Any = None

    def __init__(
        self,
        state: State,
        freq: float = 1.0,
        maxrate: str | float | None = None,
        cleanup_freq: float = 3600.0,
        timer: Any = None,
        app: Celery | None = None,
    ) -> None:
        self.app = app or self.app or get_current_app()
        self.state = state
        self.freq = freq
        self.cleanup_freq = cleanup_freq
        self.timer = timer or self.timer or ThreadTimer()
        #: Sent before each picture and each clean-up.
        self.shutter_signal = Signal("shutter_signal", frozenset({"state"}))
        self.cleanup_signal = Signal("cleanup_signal")
        #: Seconds between two pictures at least.
        self._pause = seconds_between(maxrate)
        self._monotonic_next = 0.0
        self._calls: list[Any] = []

    def __enter__(self) -> Polaroid:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def install(self) -> None:
        """Take pictures from now on."""
        self._calls = [
            self.timer.call_repeatedly(self.freq, self.capture),
            self.timer.call_repeatedly(self.cleanup_freq, self.cleanup),
        ]

    def cancel(self) -> None:
        """Take no more pictures; tolerates never begun and twice."""
        while self._calls:
            self._calls.pop().cancel()

    def on_shutter(self, state: State) -> Any:
        """Do something with the state, which does not change meanwhile; for subclasses."""

    def on_cleanup(self) -> Any:
        """Forget what is old; for subclasses."""

    def capture(self) -> None:
        """Take a picture, unless that is too soon after the last."""
        now = time.monotonic()
        if now >= self._monotonic_next:
            self._monotonic_next = now + self._pause
            self.state.freeze_while(self.shutter, clear_after=self.clear_after)

    def shutter(self) -> None:
        """Take a picture now."""
        self.shutter_signal.send(sender=self.state, state=self.state)
        self.on_shutter(self.state)

    def cleanup(self) -> None:
        """Clean up now."""
        self.cleanup_signal.send(sender=self.state)
        self.on_cleanup()


class ThreadTimer:
    """Calls functions every so often, each from a thread that ends when the call is cancelled."""

    def call_repeatedly(self, seconds: float, function: Callable[[], Any]) -> ThreadCall:
        """Call it every so many seconds."""
        return ThreadCall(seconds, function)


class ThreadCall:
    """One function that is called every so often."""

    def __init__(self, seconds: float, function: Callable[[], Any]) -> None:
        self._seconds = seconds
        self._function = function
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="celeriac-camera", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(self._seconds):
            try:
                self._function()
            except Exception:
                logger.exception("%r raised", self._function)

    def cancel(self) -> None:
        """Call it no more; waits for a call that has begun."""
        self._is_over.set()
        if self._thread is not threading.current_thread():
            self._thread.join()


def seconds_between(maxrate: str | float | None) -> float:
    """The least pause that a rate leaves: 6.0 for ``"10/m"``, 0.5 for ``2``; 0 for None, which is no limit.

    Raises `ImproperlyConfigured` for what is no rate.
    """
    if not maxrate:
        return 0.0
    number, _, unit = str(maxrate).partition("/")
    try:
        return {"": 1, "s": 1, "m": 60, "h": 3600}[unit.strip().lower()] / float(number)
    except (KeyError, ValueError, ZeroDivisionError):
        raise ImproperlyConfigured(f"{maxrate!r} is no rate; rates are like 10/s, 10/m, 10/h") from None


def evcam(
    camera: Any,
    freq: float = 1.0,
    maxrate: str | float | None = None,
    loglevel: int | str = 0,
    logfile: str | None = None,
    pidfile: str | None = None,
    timer: Any = None,
    app: Celery | None = None,
    **kwargs: Any,  # noqa: ARG001  # options of the command line that are others' business
) -> None:
    """Receive events and have `camera`, a `Polaroid` class or its dotted name, take pictures; runs until interrupted.

    `pidfile` is written for as long as that runs.  Raises `ImportError` where there is no such class.
    """
    running: Celery = app or get_current_app()
    kind = symbol(camera)
    if loglevel or logfile:
        logging.basicConfig(level=loglevel or logging.WARNING, filename=logfile)
    state = running.events.State()
    with _pid_in(pidfile), kind(state, freq=freq, maxrate=maxrate, timer=timer, app=running):
        watch(running, {"*": state.event})


@contextmanager
def _pid_in(path: str | None) -> Iterator[None]:
    """A file with the process's id, while this is open.  Raises FileExistsError where another process has it."""
    if not path:
        yield
        return
    with open(path, "x") as file:
        file.write(f"{os.getpid()}\n")
    try:
        yield
    finally:
        Path(path).unlink(missing_ok=True)
