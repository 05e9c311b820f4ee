"""Messages that kill the process that runs them: how often each has, so that none does so for ever."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts.primitives import StorePrimitives
from celeriac.exceptions import BackendError
from celeriac.protocol.dead_letter import losses_key
from celeriac.worker.settlement import Verdict

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report

logger = logging.getLogger("celeriac.worker.losses")

#: So many tasks are remembered by one worker; whoever has not killed for so long is forgiven.
_REMEMBERED: Final = 10_000
#: Seconds for which the store remembers one.
_FORGIVEN_AFTER: Final = 86_400.0


class Losses:
    """Counts how often the process of a task has died.

    Where the result store has primitives, the count is that of all workers that share it, and outlives each of them;
    else, and while the store is away, it is that of this one.
    """

    def __init__(self, most: int | None, store: Any = None) -> None:
        """`most` is the number of deaths after which a task is not run again; None: run it for ever."""
        self._most = most
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._store = store if isinstance(store, StorePrimitives) else None

    def count(self, task_id: str) -> int:
        """One more process died of this task; how many it were."""
        deaths = max(self._counts.pop(task_id, 0) + 1, self._counted_by_all(task_id))
        self._counts[task_id] = deaths
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return deaths

    def _counted_by_all(self, task_id: str) -> int:
        store, key = self._store, losses_key(task_id)
        if store is None:
            return 0
        try:
            while True:
                before = store.get_values([key]).get(key)
                deaths = int(before or b"0") + 1
                if store.compare_and_set(key, before, b"%d" % deaths, _FORGIVEN_AFTER):
                    return deaths
        except BackendError as error:
            logger.warning("How often the process of task %s has died is counted here alone: %s", task_id, error)
            return 0

    def is_enough(self, deaths: int) -> bool:
        """Whether a task that has killed so often is not run again."""
        return self._most is not None and deaths >= self._most

    def forget(self, task_id: str) -> None:
        """The task has ended; the store is told where a death of it was counted here, else it forgets in a day."""
        if self._counts.pop(task_id, None) is not None and self._store is not None:
            try:
                self._store.delete_values([losses_key(task_id)])
            except BackendError as error:
                logger.warning("The deaths of task %s are remembered although it has ended: %s", task_id, error)

    def bound(self, task_id: str, report: Report, decided: Verdict) -> tuple[Report, Verdict]:
        """A message that has killed its process too often does not go back to the queue, and its report says so.

        One whose process died of another is innocent: it goes back however often that happens.
        """
        if decided is not Verdict.REDELIVER or not report.is_suspect:
            return report, decided
        deaths = self.count(task_id)
        if not self.is_enough(deaths):
            return report, decided
        # The store remembers it until the dead letter is sent again: this worker may die before that is written.
        self._counts.pop(task_id, None)
        told = f"{report.detail}; its process has died {deaths} times (task_max_worker_losses), so it is not run again"
        return report._replace(detail=told), Verdict.BURY

    def __len__(self) -> int:
        return len(self._counts)
