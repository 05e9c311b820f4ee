"""Messages that kill the process that runs them: how often each has, so that none does so for ever."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from celeriac.worker.settlement import Verdict

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report

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

    def bound(self, task_id: str, report: Report, decided: Verdict) -> tuple[Report, Verdict]:
        """A message that has killed its process too often does not go back to the queue, and its report says so.

        One whose process died of another is innocent: it goes back however often that happens.
        """
        if decided is not Verdict.REDELIVER or not report.is_suspect:
            return report, decided
        deaths = self.count(task_id)
        if not self.is_enough(deaths):
            return report, decided
        self.forget(task_id)
        told = f"{report.detail}; its process has died {deaths} times (task_max_worker_losses), so it is not run again"
        return report._replace(detail=told), Verdict.BURY

    def __len__(self) -> int:
        return len(self._counts)
