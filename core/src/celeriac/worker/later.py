"""Messages with an ETA that the broker does not hold back: claimed, they wait here for their moment."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac.worker.open_jobs import OpenJob


class Later:
    """Calls `on_due` with each when its time has come."""

    def __init__(self, loop: EventLoop, on_due: Callable[[OpenJob], None]) -> None:
        self._loop = loop
        self._on_due = on_due
        self._waiting: dict[int, tuple[OpenJob, Timer]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: OpenJob, delay: float) -> None:
        """Let it wait `delay` seconds."""
        self._waiting[job.number] = job, self._loop.call_later(delay, self._due, job)

    def _due(self, job: OpenJob) -> None:
        # A timer that was cancelled in the very turn in which it was due may still be fired.
        if self._waiting.pop(job.number, None) is not None:
            self._on_due(job)

    def take(self, tags: Collection[Any] | None = None) -> list[OpenJob]:
        """Take out those with these tags, or all: they will not become due."""
        return self.take_matching(lambda job: tags is None or job.tag in tags)

    def jobs(self) -> list[OpenJob]:
        """All that wait."""
        return [job for job, _ in self._waiting.values()]

    def take_matching(self, matches: Callable[[OpenJob], bool]) -> list[OpenJob]:
        """Take out those that match."""
        taken = [job for job, _ in self._waiting.values() if matches(job)]
        for job in taken:
            self._waiting.pop(job.number)[1].cancel()
        return taken
