"""How many messages a worker holds at once."""

from __future__ import annotations

from typing import Final

#: Work to hold ready, in seconds: enough to keep every child busy while the next batch is claimed, too little for
#: another worker to miss it.
_AHEAD: Final = 0.02
#: Per child.
_MOST: Final = 250


class PrefetchWindow:
    """Follows the tasks' run times.

    Where they are short it holds more than the configured prefetch, so that each round trip to the broker carries a
    batch; where they are long it holds just that.
    A multiplier of 1 is taken at its word, and 0 means as many as the broker gives.
    """

    def __init__(self, multiplier: int, concurrency: int, disabled: bool = False) -> None:
        self.concurrency = concurrency
        self._strict = disabled or multiplier == 1
        self._base = concurrency * (multiplier or _MOST)
        if disabled:
            self._base = concurrency
        self.size = self._base
        self._average: float | None = None

    def note(self, runtimes: float, count: int) -> None:
        """`count` tasks have run for `runtimes` seconds in all."""
        if self._strict or not count:
            return
        latest = runtimes / count
        average = self._average
        # A batch counts by its size, so one slow task among many fast ones shrinks the window at once.
        weight = min(1.0, count / 32 + (0.5 if average is not None and latest > average else 0.1))
        self._average = average = latest if average is None else average + (latest - average) * weight
        per_child = _MOST if average <= 0 else _AHEAD / average
        self.size = max(self._base, int(self.concurrency * min(_MOST, per_child)))

    def appetite(self, held: int) -> int:
        """How many more to claim now, 0 while more than half of the window is held: a claim should carry a batch."""
        if held > self.size // 2:
            return 0
        return self.size - held
