"""How many messages a worker holds at once."""

from __future__ import annotations

from typing import Final

#: Work to hold ready, in seconds: enough to keep every child busy while the next batch is claimed, too little for
#: another worker to miss it.
_AHEAD: Final = 0.02
#: Per child.
_MOST: Final = 250
#: Messages claimed in one go where there is no limit.
_UNLIMITED_CLAIM: Final = 1000


class PrefetchWindow:
    """Follows the tasks' run times.

    Where they are short it holds more than the configured prefetch, so that each round trip to the broker carries a
    batch; where they are long it holds just that.
    A multiplier of 1 is taken at its word, as is `disabled`; 0 means as many as the broker gives.
    """

    def __init__(self, multiplier: int, concurrency: int, disabled: bool = False) -> None:
        self.concurrency = concurrency
        self.is_unlimited = multiplier == 0 and not disabled
        self.is_strict = disabled or multiplier == 1
        self._per_child = 1 if disabled else multiplier
        self._base = concurrency * self._per_child
        #: Messages to hold, 0 where there is no limit.
        self.size = self._base
        self._average: float | None = None

    def resize(self, concurrency: int) -> None:
        """So many tasks run at once from now on."""
        self.concurrency = concurrency
        self._base = concurrency * self._per_child
        self.size = self._base
        if self._average is not None:
            self._set(self._average)

    def note(self, runtimes: float, count: int) -> None:
        """`count` tasks have run for `runtimes` seconds in all."""
        if not count:
            return
        latest = runtimes / count
        average = self._average
        # A batch counts by its size, so one slow task among many fast ones shrinks the window at once.
        weight = min(1.0, count / 32 + (0.5 if average is not None and latest > average else 0.1))
        self._set(latest if average is None else average + (latest - average) * weight)

    def note_silence(self, seconds: float) -> None:
        """All children are busy and none has ended a task for so long: these at least are slow."""
        if self._average is None or seconds > self._average:
            self._set(seconds)

    def _set(self, average: float) -> None:
        self._average = average
        if self.is_strict or self.is_unlimited:
            return
        per_child = _MOST if average <= 0 else _AHEAD / average
        self.size = max(self._base, int(self.concurrency * min(_MOST, per_child)))

    def appetite(self, held: int) -> int:
        """How many more to claim now.

        None while more than half of the window is held, because a claim should carry a batch; but a child that would
        be idle is reason enough.
        """
        if self.is_unlimited:
            return _UNLIMITED_CLAIM
        if held >= self.size or held > max(self.size // 2, self.concurrency - 1):
            return 0
        return self.size - held

    def excess(self, held: int) -> int:
        """How many of the messages that are held are beyond the window."""
        return 0 if self.is_unlimited else max(0, held - self.size)
