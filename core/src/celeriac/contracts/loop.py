"""The part of the worker's event loop that lanes, pools and steps may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Timer(Protocol):
    """A call that is yet to come."""

    def cancel(self) -> Any:
        """Forget the call; harmless when it has happened."""


class EventLoop(Protocol):
    """What ``kombu.asynchronous.Hub`` offers, and all that is asked of it.

    Everything here is called from the loop's own thread, and calls back in that thread.
    """

    def add_reader(self, fds: Any, callback: Callable[..., Any], *args: Any) -> Any:
        """Call ``callback(*args)`` each time the descriptor is readable (level-triggered)."""

    def add_writer(self, fds: Any, callback: Callable[..., Any], *args: Any) -> Any:
        """Call ``callback(*args)`` each time the descriptor is writable (level-triggered)."""

    def remove_reader(self, fd: Any) -> Any:
        """Stop watching the descriptor for reading."""

    def remove_writer(self, fd: Any) -> Any:
        """Stop watching the descriptor for writing."""

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> Any:
        """Call at the next turn of the loop."""

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """Call once, `delay` seconds from now."""

    def call_repeatedly(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """Call every `delay` seconds until cancelled."""
