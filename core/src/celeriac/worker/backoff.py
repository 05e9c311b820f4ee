"""Pauses between tries that fail: longer and longer, and never the same for two workers."""

from __future__ import annotations

import random
from typing import Final

#: The first pause and the longest, in seconds.
FIRST: Final = 0.2
LONGEST: Final = 30.0
_GROWTH: Final = 2.0
#: By how much a pause may differ from its length, as a part of it: workers that lost one broker come back one by one.
_JITTER: Final = 0.2


class Backoff:
    """The pauses of one thing that is tried."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def pause(self) -> float:
        """Seconds to wait now; the next time they are more."""
        current, self._next = self._next, min(self._next * _GROWTH, self._longest)
        return current * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # spreads load, hides nothing

    def reset(self) -> None:
        """It has succeeded."""
        self._next = self._first
