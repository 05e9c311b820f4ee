"""Reports on their way to the loop: their results are stored in batches first, by whichever thread is there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from celeriac.contracts.outcome import OutcomeKind

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report

logger = logging.getLogger(__name__)

Flush = Callable[[list["Report"]], list["Report"]]

#: So many reports wait at most; a thread that has one more waits with them.
BOUND: Final = 500


class Outbox:
    """Gathers the reports of all threads.

    The thread that finds nobody storing stores for all, until nothing is left; the others go on with their next job.
    So batches grow with the backlog, and a report that is alone is stored at once.
    """

    def __init__(self, post: Callable[[list[Report]], None]) -> None:
        self._post = post
        #: Appended to by all, taken from the front by the one that stores: never replaced.
        self._waiting: list[Report] = []
        self._turn = threading.Lock()

    def add(self, report: Report, flush: Flush) -> None:
        """Have the report stored, by `flush` or by another thread's, and posted."""
        self._waiting.append(report)
        must_wait = len(self._waiting) > BOUND
        # Looking again after the turn is over: what came in its last moment found it taken.
        while self._waiting and self._turn.acquire(blocking=must_wait):
            try:
                self._deliver(flush)
            finally:
                self._turn.release()

    def _deliver(self, flush: Flush) -> None:
        while self._waiting:
            batch = self._waiting[:]
            del self._waiting[: len(batch)]
            try:
                stored = flush(batch)
            except Exception as error:
                logger.critical("Storing results failed in a way that the store should not.", exc_info=True)
                failure = repr(error)
                stored = [
                    report._replace(kind=OutcomeKind.STORE_FAILED, detail=failure, stored=None) for report in batch
                ]
            self._post(stored)
