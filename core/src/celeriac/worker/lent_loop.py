"""The worker's loop as a Kombu transport gets it: its errors are told to the lender, and all it does can be ended."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer


class LentLoop:
    """Made for one connection.

    A transport raises in its callbacks when the connection is lost, and expects whoever turns the loop to notice;
    it also leaves descriptors and timers behind then.
    """

    def __init__(self, loop: EventLoop, on_error: Callable[[Exception], None]) -> None:
        self._loop = loop
        self._on_error = on_error
        self._readers: set[int] = set()
        self._writers: set[int] = set()
        self._timers: list[Timer] = []
        self._is_ended = False
        #: Callbacks that have failed since the last one that has not.
        self.failures = 0
        #: Callables to call at each turn.
        self.on_tick: set[Callable[[], Any]] = set()
        self._ticks: set[Callable[[], Any]] | None = getattr(loop, "on_tick", None)
        if self._ticks is not None:
            self._ticks.add(self._tick)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def end(self) -> None:
        """Take everything back; from now on nothing of the transport is called."""
        self._is_ended = True
        self.on_tick.clear()
        if self._ticks is not None:
            self._ticks.discard(self._tick)
        for timer in self._timers:
            timer.cancel()
        for fd in self._readers:
            self._loop.remove_reader(fd)
        for fd in self._writers:
            self._loop.remove_writer(fd)
        self._timers, self._readers, self._writers = [], set(), set()

    # -- what transports ask of a loop --------------------------------------------------------------------------------

    def add_reader(self, fds: Any, callback: Callable[..., Any], *args: Any) -> None:
        """See `EventLoop`."""
        self._loop.add_reader(fds, self._guarded(callback), *args)
        self._readers.add(_number(fds))

    def add_writer(self, fds: Any, callback: Callable[..., Any], *args: Any) -> None:
        """See `EventLoop`."""
        self._loop.add_writer(fds, self._guarded(callback), *args)
        self._writers.add(_number(fds))

    def remove_reader(self, fd: Any) -> None:
        """See `EventLoop`."""
        self._readers.discard(_number(fd))
        self._loop.remove_reader(fd)

    def remove_writer(self, fd: Any) -> None:
        """See `EventLoop`."""
        self._writers.discard(_number(fd))
        self._loop.remove_writer(fd)

    def remove(self, fd: Any) -> None:
        """Watch the descriptor no more."""
        self.remove_reader(fd)
        self.remove_writer(fd)

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        """See `EventLoop`."""
        self._loop.call_soon(self._guarded(callback), *args)

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """See `EventLoop`."""
        return self._loop.call_later(delay, self._guarded(callback), *args)

    def call_repeatedly(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """See `EventLoop`."""
        timer = self._loop.call_repeatedly(delay, self._guarded(callback), *args)
        self._timers.append(timer)
        return timer

    def _tick(self) -> None:
        for tick in list(self.on_tick):
            self._guarded(tick)()

    def _guarded(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> None:
            if self._is_ended:
                return
            try:
                callback(*args)
            except Empty:  # how Kombu's virtual transports say that there was nothing
                return
            except Exception as error:  # noqa: BLE001  # what it means is the lender's to judge
                self.failures += 1
                self._on_error(error)
            else:
                self.failures = 0

        return call


def _number(fd: Any) -> int:
    return fd if isinstance(fd, int) else int(fd.fileno())
