"""Messages that kill the process that runs them: how often each has, so that none does so for ever."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

#: So many tasks are remembered; whoever has not killed for so long is forgiven.
_REMEMBERED: Final = 10_000


class Losses:
    """Counts, for one worker, how often the process of a task has died."""

    def __init__(self, most: int | None) -> None:
        """`most` is the number of deaths after which a task is not run again; None: run it for ever."""
        self._most = most
        self._counts: OrderedDict[str, int] = OrderedDict()

    def count(self, task_id: str) -> int:
        """One more process died of this task; how many it were."""
        deaths = self._counts.pop(task_id, 0) + 1
        self._counts[task_id] = deaths
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return deaths

    def is_enough(self, deaths: int) -> bool:
        """Whether a task that has killed so often is not run again."""
        return self._most is not None and deaths >= self._most

    def forget(self, task_id: str) -> None:
        """The task has ended."""
        self._counts.pop(task_id, None)

    def __len__(self) -> int:
        return len(self._counts)
