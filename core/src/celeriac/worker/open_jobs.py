"""A claimed message on its way through the worker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from celeriac import signals

if TYPE_CHECKING:
    from celeriac.contracts.pool import Job


logger = logging.getLogger("celeriac.worker.received")


class OpenJob:
    """What the worker remembers of a message until it is settled."""

    __slots__ = ("delay", "early", "expires", "job", "monotonic_since", "number", "queue", "tag", "task")

    def __init__(
        self,
        number: int,
        tag: Any,
        queue: str,
        task: Any,
        job: Job,
        early: bool,
        delay: float | None = None,
        expires: float | None = None,
    ) -> None:
        self.number = number
        self.tag = tag
        self.queue = queue
        #: None only for a lost task that this worker does not know.
        self.task = task
        self.job = job
        #: Settled in the broker before the task starts.
        self.early = early
        #: Seconds until it is due, None where it is.
        self.delay = delay
        #: Seconds since the epoch after which it must not start, None where it always may.
        self.expires = expires
        #: When it was claimed.
        self.monotonic_since = 0.0

    # What receivers of the signal task_received expect of a request:

    @property
    def id(self) -> str:
        """The task's id."""
        found: str = self.job.headers["id"]
        return found

    @property
    def name(self) -> str:
        """The task's name."""
        found: str = self.job.headers["task"]
        return found

    @property
    def request_dict(self) -> dict[str, Any]:
        """The headers."""
        return self.job.headers

    def __repr__(self) -> str:
        return f"<Request: {self.name}[{self.id}]>"


def announce(consumer: Any, jobs: Sequence[OpenJob]) -> None:
    """Tell whoever wants to know that these are about to be run by the pool."""
    if signals.task_received:
        for job in jobs:
            signals.task_received.send(sender=consumer, request=job)
    if logger.isEnabledFor(logging.INFO):
        for job in jobs:
            logger.info("Task %s[%s] received", job.name, job.id)
