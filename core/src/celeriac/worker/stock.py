"""What the worker holds: messages that wait for their time, their turn or the pool, and jobs that the pool has."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from celeriac.protocol import wall
from celeriac.worker.later import Later
from celeriac.worker.limiter import Limiter

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop
    from celeriac.contracts.pool import Pool
    from celeriac.worker.open_jobs import OpenJob


class Stock:
    """In the order in which the messages came; one that waits for its time or turn is due before it takes its place."""

    def __init__(self, pool: Pool, loop: EventLoop, on_due: Callable[[], None]) -> None:
        self._pool = pool
        self._on_due = on_due
        #: Those with an ETA that the broker does not hold back.
        self.later = Later(loop, self._due)
        #: Those of tasks that may not run so often.
        self.limiter = Limiter(loop, self._ready)
        #: Not handed to the pool yet.
        self.waiting: deque[OpenJob] = deque()
        #: With the pool, by number.
        self.jobs: dict[int, OpenJob] = {}

    def add(self, job: OpenJob) -> None:
        """A message was claimed."""
        if job.delay is not None:
            self.later.add(job, job.delay)
        elif not (self.limiter.lines and self.limiter.takes(job)):
            self.waiting.append(job)

    def _due(self, job: OpenJob) -> None:
        if not (self.limiter.lines and self.limiter.takes(job)):
            self._ready(job)

    def _ready(self, job: OpenJob) -> None:
        self.waiting.append(job)
        self._on_due()

    @property
    def spared(self) -> int:
        """How many wait for something else than the pool, and so take no room from what could run."""
        return len(self.later) + len(self.limiter)

    def next(self, free: int) -> tuple[list[OpenJob], list[OpenJob]]:
        """What the pool takes now, and what has expired while it waited; both are taken out.

        An early-acked message is taken only as one of the first `free`.
        """
        waiting = self.waiting
        taken: list[OpenJob] = []
        expired: list[OpenJob] = []
        if not waiting:
            return taken, expired
        room, now = self._pool.room(), wall.time()
        while waiting and len(taken) < room:
            job = waiting[0]
            if job.expires is not None and job.expires <= now:
                expired.append(waiting.popleft())
            elif job.early and len(taken) >= free:
                break
            else:
                taken.append(waiting.popleft())
        return taken, expired

    def put_back(self, jobs: Iterable[OpenJob]) -> None:
        """These wait again, before all others."""
        self.waiting.extendleft(reversed(list(jobs)))

    def recall(self) -> None:
        """Take from the pool what it has not started; it waits again."""
        numbers = self._pool.take_back()
        self.put_back(job for number in numbers if (job := self.jobs.pop(number, None)) is not None)

    def take_not_started(self) -> list[OpenJob]:
        """Take out everything that no child has started."""
        self.recall()
        taken = [*self.waiting, *self.later.take(), *self.limiter.take()]
        self.waiting.clear()
        return taken

    def take_matching(self, matches: Callable[[OpenJob], bool]) -> list[OpenJob]:
        """Take out those that match and that no child has started."""
        if any(matches(job) for job in self.jobs.values()):
            self.recall()
        taken = [job for job in self.waiting if matches(job)]
        if taken:
            self.waiting = deque(job for job in self.waiting if not matches(job))
        return [*taken, *self.later.take_matching(matches), *self.limiter.take_matching(matches)]

    def due(self) -> list[OpenJob]:
        """All whose time has come: those that the pool has, running or not, and those that wait for it or a turn."""
        return [*self.jobs.values(), *self.waiting, *self.limiter.jobs()]

    def take_last(self, count: int, monotonic_before: float) -> list[OpenJob]:
        """Take out up to `count` of those that would be started last and were claimed before.

        The pool is asked for what it has not started only where too few wait here.
        """
        if count > len(self.waiting):
            self.recall()
        waiting = self.waiting
        last: list[OpenJob] = []
        while waiting and len(last) < count and waiting[-1].monotonic_since <= monotonic_before:
            last.append(waiting.pop())
        last.reverse()
        return last

    def drop(self, tags: Collection[Any]) -> set[Any]:
        """Forget what has these tags and was not started; gives the tags of what that was."""
        self.recall()
        dropped = {
            job.tag for job in (*self.waiting, *self.later.take(tags), *self.limiter.take(tags)) if job.tag in tags
        }
        self.waiting = deque(job for job in self.waiting if job.tag not in tags)
        return dropped
