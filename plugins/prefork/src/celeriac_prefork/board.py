"""What a child is doing right now, in memory that it shares with its parent."""

from __future__ import annotations

import mmap
from time import monotonic
from typing import Final

#: In place of a job's number where there is none.
NOTHING: Final = -(2**63)

_RUNNING, _SINCE, _BEGUN, _SOFT_TARGET = range(4)


class Board:
    """Tells the parent, without a message per job, which job the child runs and since when.

    The child writes by `begin` and `end`, the parent by `interrupt`.  Each value is one aligned word, so none is ever
    seen half written, and what the child wrote is there after its death.
    """

    __slots__ = ("_memory", "_numbers", "_times")

    def __init__(self, file: int = -1) -> None:
        """A board in memory that forked children share; in `file`, a descriptor, for those that share no memory."""
        self._memory = mmap.mmap(file, mmap.PAGESIZE)
        self._numbers = memoryview(self._memory).cast("q")
        self._times = memoryview(self._memory).cast("d")
        self.clear()

    def clear(self) -> None:
        """Nothing runs, nothing has begun."""
        self._numbers[_RUNNING] = NOTHING
        self._numbers[_BEGUN] = NOTHING
        self._numbers[_SOFT_TARGET] = NOTHING

    def begin(self, number: int) -> None:
        """The child runs this job from now on."""
        # The time first: whoever sees the number then sees its time.
        self._times[_SINCE] = monotonic()
        self._numbers[_BEGUN] = number
        self._numbers[_RUNNING] = number

    def end(self) -> None:
        """The child runs nothing."""
        self._numbers[_RUNNING] = NOTHING

    def read(self) -> tuple[int, float]:
        """The job that runs, or NOTHING, and since when (`time.monotonic`, which all processes share)."""
        while True:
            number = self._numbers[_RUNNING]
            since = self._times[_SINCE]
            if self._numbers[_RUNNING] == number:
                return number, since

    @property
    def last_begun(self) -> int:
        """The last job that the child began, whether it has ended or not, or NOTHING."""
        return self._numbers[_BEGUN]

    def interrupt(self, number: int) -> None:
        """The parent is about to send the signal for this job's soft limit."""
        self._numbers[_SOFT_TARGET] = number

    def is_interrupted(self) -> bool:
        """The job that runs is the one that the parent means."""
        running = self._numbers[_RUNNING]
        return running != NOTHING and running == self._numbers[_SOFT_TARGET]

    def close(self) -> None:
        """Unmap the memory in this process."""
        self._numbers.release()
        self._times.release()
        self._memory.close()
