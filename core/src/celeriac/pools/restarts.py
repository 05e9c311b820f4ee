"""How long to wait before the next child, when children die before they have got anywhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from celeriac.pools.process import describe_exit

logger = logging.getLogger(__name__)

#: So many in a row are replaced at once.
AT_ONCE: Final = 5
FIRST_DELAY: Final = 0.25
LONGEST_DELAY: Final = 30.0


class RestartDelay:
    """Counts children in a row that died before they ran anything."""

    def __init__(self) -> None:
        self.failures = 0

    def after_death(self, pid: int, code: int, lost: Sequence[int], was_useful: bool) -> float:
        """Seconds to wait after a child has died unasked, with these jobs; says so in the log.

        `was_useful`: it had reported a job before.
        """
        manner = describe_exit(code)
        if was_useful or lost:
            ran = "nothing" if not lost else "a task" if len(lost) == 1 else f"{len(lost)} tasks"
            logger.error("Child process %d ended with %s while it ran %s", pid, manner, ran)
            return 0.0
        delay = self.after_failure()
        logger.error(
            "Child process %d ended with %s before it ran anything, %d in a row; the next one starts in %g s.",
            pid,
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
