"""Tasks that a worker has, as maps for those who ask."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.contracts.pool import Run
    from celeriac.worker.consumer.consumer import Consumer
    from celeriac.worker.open_jobs import OpenJob


class Requests:
    """The tasks of one worker at one moment."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        runs = {run.number: run for run in consumer.pool.active()}
        jobs = consumer.stock.due()
        #: Those that run, with where and since when.
        self.active = [(job, runs[job.number]) for job in jobs if job.number in runs]
        #: Those whose time has come, and that do not run yet.
        self.reserved = [job for job in jobs if job.number not in runs]
        #: Those that wait for their time.
        self.scheduled = consumer.stock.later.jobs()

    def described(self, job: OpenJob, run: Run | None = None) -> dict[str, Any]:
        """What can be told of a task.

        Arguments are the text that came in the headers: the main process of a worker decodes no body.  An early ack
        counts from the moment at which the task is handed to the pool.
        """
        headers = job.job.headers
        return {
            "id": job.id,
            "name": job.name,
            "args": headers.get("argsrepr"),
            "kwargs": headers.get("kwargsrepr"),
            "type": job.name,
            "hostname": self._consumer.hostname,
            "time_start": None if run is None else time.time() - (time.monotonic() - run.since),
            "acknowledged": job.early and job.number in self._consumer.stock.jobs,
            "delivery_info": dict(job.job.delivery_info),
            "worker_pid": None if run is None else run.pid,
        }

    def found(self, ids: Iterable[str]) -> dict[str, list[Any]]:
        """State and description by id, of those that are asked for and here."""
        wanted = set(ids)
        found: dict[str, list[Any]] = {}
        for state, jobs in (("scheduled", self.scheduled), ("reserved", self.reserved)):
            found.update((job.id, [state, self.described(job)]) for job in jobs if job.id in wanted)
        found.update((job.id, ["active", self.described(job, run)]) for job, run in self.active if job.id in wanted)
        return found
