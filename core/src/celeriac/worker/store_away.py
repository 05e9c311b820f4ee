"""What the log says while results wait for their store: at once, less and less often, and when it is back."""

from __future__ import annotations

import logging
import time
from typing import Final

logger = logging.getLogger("celeriac.worker.results")

#: Seconds between two lines, at first and at most: each child of each worker writes them.
_SOONEST: Final = 2.0
_LATEST: Final = 60.0


class StoreAway:
    """One time of waiting."""

    def __init__(self) -> None:
        self._monotonic_since: float | None = None
        self._monotonic_next = 0.0
        self._gap = _SOONEST

    def tell(self, results: int, error: Exception, pause: float) -> None:
        """One more try has failed; the next one is in `pause` seconds."""
        monotonic_now = time.monotonic()
        if self._monotonic_since is None:
            self._monotonic_since = monotonic_now
        elif monotonic_now < self._monotonic_next:
            return
        self._monotonic_next = monotonic_now + self._gap
        self._gap = min(self._gap * 2, _LATEST)
        waiting = "A result waits" if results == 1 else f"{results} results wait"
        reason = str(error).rstrip(".")
        logger.error("%s for the store: %s. Trying again in %.1f s, and until it is back", waiting, reason, pause)

    def end(self) -> None:
        """What waited is stored."""
        if self._monotonic_since is not None:
            logger.warning("Results are stored again, after %.1f s", time.monotonic() - self._monotonic_since)
