"""A clock that goes on when the test says so: for ETAs, retries, expiry and periodic tasks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from celeriac.protocol import wall
from celeriac.testing.worker import WorkerThread, running_workers

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.beat import Scheduler
    from celeriac.worker.boot import WorkController

#: The shortest step, in seconds: what is due a rounding error later is due now.
_STEP: Final = 0.001
_NEVER: Final = float("inf")
#: The least time that a worker is given for an answer, in seconds.
_ANSWER: Final = 0.5
#: Between two looks whether the workers are idle.
_LOOK: Final = 0.0005


class FakeClock:
    """While its block lasts, time stands still for everything in this process that waits for a moment.

    `start` is the moment at which it begins, aware or in UTC; now unless given.  The workers are those of
    `start_worker`, on the in-memory broker.  Tasks see the time as ``app.now()``; what asks Python itself, as
    ``datetime.now()`` does, is told the real one.

    >>> with FakeClock() as clock, start_worker(app):  # doctest: +SKIP
    ...     result = remind.apply_async(countdown=3600)
    ...     clock.advance(hours=1)
    ...     assert result.get(timeout=5) == "reminded"
    """

    def __init__(self, start: datetime | None = None) -> None:
        moment = start or datetime.now(UTC)
        self._time = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
        self._beats: list[_Beat] = []
        self._is_in_use = False

    def __enter__(self) -> Self:
        if wall.time is not time.time:
            raise RuntimeError("another FakeClock is in use in this process: there is one time for all of it")
        wall.set_source(self.time)
        self._is_in_use = True
        return self

    def __exit__(self, *_: object) -> None:
        self._is_in_use = False
        wall.set_source(None)

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._time

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.fromtimestamp(self._time, UTC)

    def beat(self, app: Celery, **options: Any) -> Scheduler:
        """Send the periodic tasks of `app` (``beat_schedule``, ``add_periodic_task``) as time goes on.

        `options` are those of `celeriac.beat.Scheduler`; gives the scheduler.
        """
        from celeriac.beat import Scheduler  # most tests have no periodic tasks

        app.finalize()
        beat = _Beat(Scheduler(app, **options))
        beat.tick(self._time)
        self._beats.append(beat)
        return beat.scheduler

    def advance(self, seconds: float = 0.0, *, timeout: float = 10.0, **units: float) -> None:
        """Let time go on, by `seconds` and by the units of a timedelta (``minutes=5``, ``hours=1``).

        It goes from one moment at which something is due to the next, and at each waits until the workers have
        nothing to do.  What a task sends counts: one that retries every ten minutes does so six times in an hour.
        Raises TimeoutError where the workers are not idle within `timeout` real seconds.
        """
        if not self._is_in_use:
            raise RuntimeError("this FakeClock is not in use: write `with FakeClock() as clock:`")
        goal = self._time + timedelta(seconds=seconds, **units).total_seconds()
        if goal < self._time:
            raise ValueError("time does not go back")
        deadline = time.monotonic() + timeout
        while True:
            pause = self._pause(deadline)
            left = goal - self._time
            if left <= 0:
                return
            self._go_on(min(max(pause, _STEP), left), deadline)

    def _go_on(self, seconds: float, deadline: float) -> None:
        self._time += seconds
        for thread in running_workers():
            thread.ask(lambda worker: worker.hub.timer.hasten(seconds), _left(deadline))
        for beat in self._beats:
            if beat.next_tick <= self._time:
                beat.tick(self._time)

    def _pause(self, deadline: float) -> float:
        """Wait until the workers are idle; the seconds until something is due."""
        pauses = [beat.next_tick - self._time for beat in self._beats]
        for thread in running_workers():
            while (pause := _pause_of(thread, deadline)) is None:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"the worker is not idle in time: {_occupation(thread)}")
                time.sleep(_LOOK)
            pauses.append(pause)
        return min(pauses, default=_NEVER)


class _Beat:
    """A scheduler that is told when to tick."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.next_tick = 0.0

    def tick(self, now: float) -> None:
        self.next_tick = now + max(self.scheduler.tick(), _STEP)


def _left(deadline: float) -> float:
    # Enough for an answer, however late it is: a worker that works is told from one that does not come round.
    return max(deadline - time.monotonic(), _ANSWER)


def _pause_of(thread: WorkerThread, deadline: float) -> float | None:
    # Twice: of a message that was sent meanwhile, and is held back, the loop hears in its next turn.
    if thread.ask(_pause_of_idle, _left(deadline)) is None:
        return None
    pause: float | None = thread.ask(_pause_of_idle, _left(deadline))
    return pause


def _pause_of_idle(worker: WorkController) -> float | None:
    """Seconds until the loop of an idle worker has a call that is not one of many; None while there is work now."""
    consumer = worker.consumer
    if consumer.held > consumer.stock.spared or any(consumer.lane.depth(queue.name) for queue in consumer.queues):
        return None
    pause = worker.hub.timer.pause_before_single()
    return _NEVER if pause is None else pause


def _occupation(thread: WorkerThread) -> str:
    ready = thread.ask(lambda worker: worker.consumer.ready, 1.0)
    return f"{ready} tasks run or wait for the pool" if ready else "messages wait in its queues"
