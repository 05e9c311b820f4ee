"""Time limits where a task runs in the main thread of the process: by the alarm clock of the system."""

from __future__ import annotations

import signal
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.limits import NO_LIMITS, Limits
from celeriac.exceptions import SoftTimeLimitExceeded

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds until a task that has caught its hard limit meets it once more.
_AGAIN: Final = 1.0


class HardLimitReached(SystemExit):
    """A task has reached its hard limit; no ``except Exception`` of it stands in the way."""


class Alarm:
    """A context in which limits hold: it raises `SoftTimeLimitExceeded` at the soft one, then `HardLimitReached`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._is_soft = limits.soft < limits.hard
        self._before: Any = None

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._limits.first)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        soft, hard = self._limits
        if self._is_soft:
            self._is_soft = False
            if hard < NO_LIMITS.hard:
                signal.setitimer(signal.ITIMER_REAL, hard - soft)
            raise SoftTimeLimitExceeded
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        raise HardLimitReached


def can_ring() -> bool:
    """Whether this is the thread in which signals arrive.

    It is tried because `threading` may be wrong about that: eventlet replaces the current thread, not the main one.
    """
    try:
        signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGALRM) or signal.SIG_DFL)
    except ValueError:
        return False
    return True
