"""The pool of green threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from celeriac.exceptions import ImproperlyConfigured
from celeriac.pools.greenlet_pool import GreenletJob, GreenletPool
from celeriac.signals import (
    eventlet_pool_apply,
    eventlet_pool_postshutdown,
    eventlet_pool_preshutdown,
    eventlet_pool_started,
)
from celeriac_eventlet.patch import is_patched

if TYPE_CHECKING:
    from celeriac.contracts.limits import Limits
    from celeriac.contracts.loop import EventLoop
    from celeriac.contracts.pool import Executor, Job, PoolContext, Report
    from celeriac_eventlet.green_run import GreenRun

logger = logging.getLogger(__name__)

#: Seconds between two looks at whether all green threads have ended.
_LOOK_AGAIN: Final = 0.01


class EventletPool(GreenletPool["GreenRun"]):
    """Green threads of eventlet's, with its four signals."""

    name: ClassVar[str] = "eventlet"

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        if not is_patched():
            raise ImproperlyConfigured(
                "the pool 'eventlet' needs the standard library patched before anything is imported: start the worker "
                "by `celeriac worker -P eventlet`, or begin your program by `import eventlet; eventlet.monkey_patch()`"
            )
        self._make_run: type[GreenRun]

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        # Not where somebody only looks at the class: eventlet has each later fork of its process warned of.
        from celeriac_eventlet.green_run import GreenRun

        logger.warning("Eventlet is in maintenance, and its authors advise to leave it: consider the pool gevent.")
        self._make_run = GreenRun
        super().start(loop, on_reports)
        eventlet_pool_started.send(sender=self)

    def _begin(
        self, job: Job, limits: Limits, executor: Executor, on_end: Callable[[GreenletJob, Report], None]
    ) -> GreenRun:
        if eventlet_pool_apply:
            eventlet_pool_apply.send(sender=self, target=executor.run, args=(job,), kwargs={})
        return self._make_run(job, limits, executor, on_end)

    def _wait(self, is_over: Callable[[], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not is_over() and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN)  # eventlet's: the green threads run meanwhile

    def stop(self) -> None:
        if self._executor is None:
            return
        eventlet_pool_preshutdown.send(sender=self)
        super().stop()
        eventlet_pool_postshutdown.send(sender=self)
