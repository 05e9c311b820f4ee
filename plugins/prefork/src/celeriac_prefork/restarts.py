"""How long to wait before the next child, when children die before they have got anywhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from celeriac_prefork.process import describe_exit

if TYPE_CHECKING:
    from celeriac_prefork.child import Child

logger = logging.getLogger(__name__)

#: So many in a row are replaced at once.
AT_ONCE: Final = 5
FIRST_DELAY: Final = 0.25
LONGEST_DELAY: Final = 30.0


class RestartDelay:
    """Counts children in a row that died before they ran anything."""

    def __init__(self) -> None:
        self.failures = 0

    def after_death(self, child: Child, code: int, lost: Sequence[int]) -> float:
        """Seconds to wait after a child has died unasked, with these jobs; says so in the log."""
        if child.is_killed:
            assert child.kill is not None
            lost = [number for number in lost if number != child.kill.number]
            if not lost:
                return 0.0  # as intended, and told of already
        manner = describe_exit(code)
        if child.has_reported or lost:
            jobs = ", ".join(map(str, lost)) or "none"
            logger.error("Child process %d ended with %s; jobs lost: %s.", child.pid, manner, jobs)
            return 0.0
        delay = self.after_failure()
        logger.error(
            "Child process %d ended with %s before it ran anything, %d in a row; the next one starts in %g s.",
            child.pid,
            manner,
            self.failures,
            delay,
        )
        return delay

    def after_failure(self) -> float:
        """Seconds to wait after one more has come to nothing; 0 for the first few."""
        self.failures += 1
        if self.failures < AT_ONCE:
            return 0.0
        return min(FIRST_DELAY * 2.0 ** min(self.failures - AT_ONCE, 20), LONGEST_DELAY)

    def succeeded(self) -> None:
        """A child has run something, so it can be done."""
        self.failures = 0
