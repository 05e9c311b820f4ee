"""The pool of greenlets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import gevent

from celeriac.exceptions import ImproperlyConfigured
from celeriac.pools.greenlet_pool import GreenletJob, GreenletPool
from celeriac_gevent.greenlet_run import GeventRun
from celeriac_gevent.patch import is_patched

if TYPE_CHECKING:
    from celeriac.contracts.limits import Limits
    from celeriac.contracts.pool import Executor, Job, PoolContext, Report


class GeventPool(GreenletPool[GeventRun]):
    """Greenlets of gevent's."""

    name: ClassVar[str] = "gevent"

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        if not is_patched():
            raise ImproperlyConfigured(
                "the pool 'gevent' needs the standard library patched before anything is imported: start the worker by "
                "`celeriac worker -P gevent`, or begin your program by `from gevent import monkey; monkey.patch_all()`"
            )

    def _begin(
        self, job: Job, limits: Limits, executor: Executor, on_end: Callable[[GreenletJob, Report], None]
    ) -> GeventRun:
        return GeventRun(job, limits, executor, on_end)

    def _wait(self, is_over: Callable[[], bool], timeout: float) -> None:
        with gevent.Timeout(timeout, False):
            while not is_over():
                gevent.sleep(0.01)
