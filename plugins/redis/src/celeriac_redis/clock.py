"""What time it is on the server: from what its answers say, and how long they took."""

from __future__ import annotations

import time
from typing import Final

#: By how much an estimate grows worse, in seconds per second: clocks drift, and are set.
_DRIFT: Final = 1e-3


class ServerClock:
    """The offset of the server's clock, from the answer that took the least time of late."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._error = float("inf")
        self._monotonic_heard = 0.0

    def heard(self, told: float, monotonic_sent: float) -> None:
        """An answer that has just arrived says that it was `told`, in seconds since the epoch, when it was made."""
        now = time.monotonic()
        error = (now - monotonic_sent) / 2
        offset = told - (now + monotonic_sent) / 2
        known = self._error + (now - self._monotonic_heard) * _DRIFT
        # Further apart than both may be wrong: the clock was set.
        if error <= known or abs(offset - self._offset) > error + known:
            self._offset, self._error, self._monotonic_heard = offset, error, now

    def now(self) -> float:
        """Seconds since the epoch, by the server's clock."""
        return time.monotonic() + self._offset
