"""A worker inside the test, as Celery's users start one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from celeriac.contrib.testing.tasks import ping
from celeriac.signals import Signal
from celeriac.testing import worker as testing
from celeriac.worker.boot import WorkController

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Before a worker is made, when it runs, and when it has ended.
test_worker_starting = Signal(name="test_worker_starting", providing_args=frozenset())
test_worker_started = Signal(name="test_worker_started", providing_args=frozenset({"worker", "consumer"}))
test_worker_stopped = Signal(name="test_worker_stopped", providing_args=frozenset({"worker"}))


class TestWorkController(WorkController):
    """A worker that runs in a thread of the test."""

    __test__ = False

    def ensure_started(self) -> None:
        """Nothing: `start_worker` gives a worker that is ready."""


@contextmanager
def start_worker(
    app: Celery,
    concurrency: int = 1,
    pool: str = "solo",
    loglevel: Any = None,
    logfile: str | None = None,
    perform_ping_check: bool = True,
    ping_task_timeout: float = 10.0,
    shutdown_timeout: float = 10.0,
    **kwargs: Any,
) -> Iterator[WorkController]:
    """As `celeriac.testing.start_worker`, with a task sent first, and told of by signals.

    The task, ``celery.ping``, is not sent where results are not kept.
    """
    test_worker_starting.send(sender=app)
    setup_app_for_worker(app, loglevel, logfile)
    kwargs.setdefault("WorkController", TestWorkController)
    worker = None
    try:
        with testing.start_worker(app, concurrency, pool, shutdown_timeout=shutdown_timeout, **kwargs) as worker:
            test_worker_started.send(sender=app, worker=worker, consumer=worker.consumer)
            if perform_ping_check and not app.results.backend.disabled:
                ping.delay().get(timeout=ping_task_timeout)
            yield worker
    finally:
        if worker is not None:
            test_worker_stopped.send(sender=app, worker=worker)


def setup_app_for_worker(app: Celery, loglevel: Any, logfile: str | None) -> None:
    """Make `app` the current one and that of all threads; with a level or a file set up its log."""
    app.finalize()
    app.set_current()
    app.set_default()
    if loglevel is not None or logfile is not None:
        app.log.setup(loglevel, logfile)


__all__ = [
    "TestWorkController",
    "setup_app_for_worker",
    "start_worker",
    "test_worker_started",
    "test_worker_starting",
    "test_worker_stopped",
]
