"""What time it is, for all that waits for a moment: ETAs, expiry, held messages, schedules.

Ask as ``wall.time()`` and ``wall.now()``, never by a name imported from here: tests put a clock of their own in their
place (`celeriac.testing.FakeClock`).
"""

from __future__ import annotations

import time as system
from collections.abc import Callable
from datetime import UTC, datetime


def _now() -> datetime:
    return datetime.now(UTC)


#: Seconds since the epoch.
time: Callable[[], float] = system.time
#: The present moment, in UTC.
now: Callable[[], datetime] = _now


def set_source(source: Callable[[], float] | None) -> None:
    """Ask `source` for the seconds since the epoch from now on; None: the system again.  For the whole process."""
    global time, now  # the one wall clock of the process
    if source is None:
        time, now = system.time, _now
    else:
        time, now = source, lambda: datetime.fromtimestamp(source(), UTC)
