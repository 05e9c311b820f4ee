"""A pool that grows with what waits for it and shrinks when it has little to do."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final

from celeriac.app.names import symbol
from celeriac.bootsteps import StartStopStep
from celeriac.contracts.pool import Pool
from celeriac.exceptions import ImproperlyConfigured
from celeriac.worker.components import Pool as PoolPart

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer

logger = logging.getLogger("celeriac.worker.autoscale")

#: Seconds between two looks.
_PERIOD: Final = 1.0
#: Seconds after the last growth in which the pool does not shrink.
AUTOSCALE_KEEPALIVE: Final = float(os.environ.get("AUTOSCALE_KEEPALIVE") or 30)


class Autoscaler:
    """Keeps the pool between two sizes; another class can be named in ``worker_autoscaler``.

    Everything is called in the thread of the worker's loop.
    """

    def __init__(
        self,
        pool: Pool,
        max_concurrency: int,
        min_concurrency: int = 1,
        worker: Any = None,
        keepalive: float = AUTOSCALE_KEEPALIVE,
    ) -> None:
        self.pool = pool
        self.max_concurrency = max_concurrency
        self.min_concurrency = min_concurrency
        self.worker = worker
        #: Seconds.
        self.keepalive = keepalive
        self._monotonic_growth: float | None = None
        self._timer: Timer | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self, loop: EventLoop) -> None:
        """Look from now on, again and again."""
        self._timer = loop.call_repeatedly(_PERIOD, self.maybe_scale)

    def stop(self) -> None:
        """Look no more.  Tolerates never started and twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- scaling ------------------------------------------------------------------------------------------------------

    def maybe_scale(self, req: Any = None) -> bool:  # as in Celery
        """Bring the pool to the size that is right now; True where that is another one."""
        wanted, processes = self._wanted(), self.processes
        if wanted > processes:
            self.scale_up(wanted - processes)
        elif wanted < processes:
            return self.scale_down(processes - wanted)
        return wanted > processes

    def _wanted(self) -> int:
        wanted = self.qty
        if self.processes <= wanted < self.max_concurrency:
            wanted += self._unclaimed()
        return max(self.min_concurrency, min(wanted, self.max_concurrency))

    def _unclaimed(self) -> int:
        """Messages that wait in the queues because the worker claims no more than it can run at once."""
        consumer = None if self.worker is None else self.worker.consumer
        if consumer is None or not consumer.window.is_strict or not consumer.is_claiming:
            return 0
        listening = consumer.listening
        try:
            depths = [
                consumer.lane.depth(queue.name) for queue in listening.queues if queue.name not in listening.paused
            ]
        except consumer.app.connection_errors as error:
            logger.debug("How much waits in the queues is not known: %s", error)
            return 0
        # Where nobody can tell, one more is tried: if it finds nothing to do, it goes again.
        return sum(1 if depth is None else depth for depth in depths)

    def scale_up(self, n: int) -> None:
        """Grow by `n`."""
        self._monotonic_growth = time.monotonic()
        self._grow(n)

    def scale_down(self, n: int) -> bool:
        """Shrink by `n`, unless the pool has grown lately; True where it did."""
        lately = self._monotonic_growth
        if lately is not None and time.monotonic() - lately < self.keepalive:
            return False
        self._shrink(n)
        return True

    def update(self, max: int | None = None, min: int | None = None) -> tuple[int, int]:  # as in Celery
        """Set other bounds, and keep them at once; gives both.  Raises ValueError where they cross."""
        most = self.max_concurrency if max is None else max
        least = self.min_concurrency if min is None else min
        if not 1 <= least <= most:
            raise ValueError(f"an autoscaled pool runs from 1 task to as many as it may, not from {least} to {most}")
        self.max_concurrency, self.min_concurrency = most, least
        processes = self.processes
        if processes < least:
            self._grow(least - processes)
        elif processes > most:
            self._shrink(processes - most)
        return most, least

    def force_scale_up(self, n: int) -> None:
        """Grow by `n` now, and move the upper bound along where that is passed."""
        self._grow(n)
        self.max_concurrency = max(self.max_concurrency, self.processes)

    def force_scale_down(self, n: int) -> None:
        """Shrink by `n` now, and move the lower bound along where that is passed."""
        self._shrink(min(n, self.processes - 1))
        self.min_concurrency = min(self.min_concurrency, self.processes)

    def _grow(self, n: int) -> None:
        logger.info("Scaling up by %d to %d", n, self.processes + n)
        self.pool.grow(n)
        self._tell()

    def _shrink(self, n: int) -> None:
        if n < 1:
            return
        logger.info("Scaling down by %d to %d", n, self.processes - n)
        self.pool.shrink(n)
        self._tell()

    def _tell(self) -> None:
        if self.worker is not None:
            self.worker.consumer.pool_resized()

    # -- facts --------------------------------------------------------------------------------------------------------

    @property
    def qty(self) -> int:
        """Tasks that run or could run now."""
        return 0 if self.worker is None else int(self.worker.consumer.ready)

    @property
    def processes(self) -> int:
        """Tasks that the pool runs at once."""
        return self.pool.context.concurrency

    def info(self) -> dict[str, Any]:
        """Facts for ``inspect stats``."""
        return {"max": self.max_concurrency, "min": self.min_concurrency, "current": self.processes, "qty": self.qty}


class WorkerComponent(StartStopStep):
    """The autoscaler, where the worker was given bounds."""

    name = "celeriac.worker.Autoscaler"
    requires = (PoolPart,)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        parent.autoscaler = None

    def include_if(self, parent: Any) -> bool:
        return parent.autoscale is not None

    def create(self, parent: Any) -> Any:
        kind = symbol(parent.app.conf.worker_autoscaler)
        most, least = parent.autoscale
        pool = parent.pool
        for name in ("grow", "shrink"):
            if getattr(type(pool), name) is getattr(Pool, name):
                raise ImproperlyConfigured(f"--autoscale needs a pool that can {name}, and {pool.name!r} cannot")
        parent.autoscaler = kind(pool, most, least, worker=parent)
        return parent.autoscaler

    def start(self, parent: Any) -> None:
        parent.autoscaler.start(parent.hub)

    def stop(self, parent: Any) -> None:
        parent.autoscaler.stop()

    def info(self, obj: Any) -> dict[str, Any]:
        return {"autoscaler": obj.autoscaler.info()}


def bounds(text: Any) -> tuple[int, int] | None:
    """The largest and smallest concurrency of ``--autoscale MAX,MIN``; a smallest of 0 is 1.

    Raises `ImproperlyConfigured` for anything else.
    """
    if not text:
        return None
    parts = str(text).split(",") if isinstance(text, str | int) else [str(part) for part in text]
    try:
        most, least = int(parts[0]), int(parts[1]) if len(parts) > 1 else 1
    except ValueError:
        most, least = 0, 1
    least = max(least, 1)
    if len(parts) > 2 or most < least:
        raise ImproperlyConfigured(f"--autoscale takes MAX,MIN, as in 10,3, not {text!r}")
    return most, least
