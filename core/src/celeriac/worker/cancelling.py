"""Ending tasks that would be run twice: the connection was lost, and the broker delivers their messages again."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from celeriac.contracts.outcome import OutcomeKind

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report
    from celeriac.worker.consumer.consumer import Consumer

logger = logging.getLogger("celeriac.worker.cancelling")


class Cancelling:
    """One per consumer, at work where ``worker_cancel_long_running_tasks_on_connection_loss`` asks for it."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._is_wanted = bool(consumer.app.conf.worker_cancel_long_running_tasks_on_connection_loss)
        #: Jobs that were ended and whose reports have not come yet.
        self._numbers: set[int] = set()

    def end(self, tags: Collection[Any]) -> set[Any]:
        """End the running late-acked jobs that have these tags; gives the tags of those that were.

        An early-acked one goes on: its message is settled, and will not come again.
        """
        if not self._is_wanted:
            return set()
        consumer, ended = self._consumer, set()
        for job in [job for job in consumer.stock.jobs.values() if job.tag in tags and not job.early]:
            if consumer.pool.terminate_job(job.number):
                self._numbers.add(job.number)
                ended.add(job.tag)
                logger.warning("Task %s[%s] is cancelled: its message will be delivered again", job.name, job.id)
            else:
                logger.warning("Task %s[%s] runs on: the pool cannot end it", job.name, job.id)
        return ended

    def is_cancelled(self, report: Report) -> bool:
        """Whether a job has ended in this way, and not by itself just before; to be asked once for each report."""
        if report.number not in self._numbers:
            return False
        self._numbers.discard(report.number)
        return report.kind is OutcomeKind.REVOKED
