"""How long to wait before the next child, when children die before they have got anywhere."""

from __future__ import annotations

from typing import Final

#: So many in a row are replaced at once.
AT_ONCE: Final = 5
FIRST_DELAY: Final = 0.25
LONGEST_DELAY: Final = 30.0


class RestartDelay:
    """Counts children that died before they were ready."""

    def __init__(self) -> None:
        self.failures = 0

    def failed(self) -> float:
        """One more has failed; returns the seconds to wait, 0 for the first few."""
        self.failures += 1
        if self.failures < AT_ONCE:
            return 0.0
        return min(FIRST_DELAY * 2.0 ** min(self.failures - AT_ONCE, 20), LONGEST_DELAY)

    def succeeded(self) -> None:
        """A child is ready, so it can be done."""
        self.failures = 0
