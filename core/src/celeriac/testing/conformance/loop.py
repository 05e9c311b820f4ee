"""The worker's event loop, turned by a test until something is so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from kombu.asynchronous import Hub

from celeriac.testing.conformance.demands import fail

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

#: Seconds after which what was waited for is taken to never come.
PATIENCE = 10.0
#: The longest that the loop sleeps although nothing happens, in seconds.
_TURN = 0.02


class TurningLoop:
    """A Hub of Kombu's, as the worker's, with a way to wait."""

    def __init__(self) -> None:
        self._hub = Hub()

    @property
    def loop(self) -> EventLoop:
        """What drivers are given."""
        return cast("EventLoop", self._hub)

    def turn(self) -> None:
        """Let the loop run once; it waits no longer than a moment."""
        self._hub.call_later(_TURN, _nothing)
        self._hub.run_once()

    def until(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Turn the loop until `condition` holds; the test fails with `what` if it does not within `patience` s."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                fail(f"not within {patience:g} s: {what}")
            self.turn()

    def close(self) -> None:
        """Release the loop."""
        self._hub.close()


def _nothing() -> None:
    """Wake the loop."""
