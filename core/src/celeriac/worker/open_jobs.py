"""A claimed message on its way through the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.contracts.pool import Job


class OpenJob:
    """What the worker remembers of a message until it is settled."""

    __slots__ = ("delay", "early", "job", "number", "queue", "tag", "task")

    def __init__(
        self, number: int, tag: Any, queue: str, task: Any, job: Job, early: bool, delay: float | None
    ) -> None:
        self.number = number
        self.tag = tag
        self.queue = queue
        self.task = task
        self.job = job
        #: Settled in the broker before the task starts.
        self.early = early
        #: Seconds until it is due, None where it is.
        self.delay = delay

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
