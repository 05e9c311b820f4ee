"""What is told of a broker or a store that is out of reach: not the same line twice a second."""

from __future__ import annotations

import logging
import time
from typing import Final

logger = logging.getLogger("celeriac.beat")

#: Seconds between two lines while it lasts.
_TOLD_AGAIN: Final = 60.0


class Outage:
    """Told when it begins, once a minute while it lasts, and when it is over."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._monotonic_begin: float | None = None
        #: What is at fault, in a sentence; None where nothing is.
        self.fault: str | None = None
        self._monotonic_told = 0.0

    def tell(self, error: BaseException) -> None:
        """It has begun, or lasts."""
        now = time.monotonic()
        self.fault = f"{self._what} is out of reach: {error}"
        if self._monotonic_begin is None:
            self._monotonic_begin = now
        elif now - self._monotonic_told < _TOLD_AGAIN:
            return
        self._monotonic_told = now
        logger.error("beat: %s is out of reach, trying again: %s", self._what, error)

    def over(self) -> None:
        """It is in reach; nothing where it was so before."""
        if self._monotonic_begin is not None:
            seconds = time.monotonic() - self._monotonic_begin
            logger.warning("beat: %s is in reach again, after %.0f s", self._what, seconds)
            self._monotonic_begin = self.fault = None
