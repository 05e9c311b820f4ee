"""Whether somebody has set the clock of the machine."""

from __future__ import annotations

import time
from typing import Final

from celeriac.protocol import wall

#: Seconds between two looks at that while nothing is due.
GLANCE: Final = 1.0
#: Less than that the two clocks drift apart by themselves between two looks.
_LEAST: Final = 1.0


class ClockShift:
    """By how much the wall clock has moved against the monotonic one."""

    def __init__(self) -> None:
        self._offset = wall.time() - time.monotonic()

    def seconds(self) -> float:
        """What it was set on by since `follow`, below zero where it was set back; 0 for what is no more than drift."""
        shift = wall.time() - time.monotonic() - self._offset
        return shift if abs(shift) >= _LEAST else 0.0

    def follow(self) -> float:
        """The same; and count from now on."""
        shift = self.seconds()
        self._offset = wall.time() - time.monotonic()
        return shift
