"""A worker inside the test: in a thread of this process, on the app's own broker and store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.boot import WorkController


@contextmanager
def start_worker(
    app: Celery,
    concurrency: int = 1,
    pool: str = "solo",
    loglevel: Any = None,
    logfile: str | None = None,
    perform_ping_check: bool = False,
    ping_task_timeout: float = 10.0,
    shutdown_timeout: float = 10.0,
    **options: Any,
) -> Iterator[WorkController]:
    """Run a worker for as long as the block lasts; it takes messages when the block begins, and has ended after it.

    `options` are those of ``app.Worker``.  With `perform_ping_check` a task crosses broker, worker and store first.
    Raises what the worker raises at its start or end, and TimeoutError where it does not answer, or does not end
    within `shutdown_timeout` seconds.

    >>> with start_worker(app):  # doctest: +SKIP
    ...     assert add.delay(2, 2).get(timeout=10) == 4
    """
    if loglevel is not None or logfile is not None:
        app.log.setup_logging_subsystem(loglevel, logfile)
    thread = WorkerThread(app, {"concurrency": concurrency, "pool": pool, "loglevel": loglevel, **options})
    worker = thread.begin()
    try:
        if perform_ping_check:
            app.tasks["celery.accumulate"].delay("pong", index=0).get(timeout=ping_task_timeout)
        yield worker
    finally:
        thread.end(shutdown_timeout)


class WorkerThread(threading.Thread):
    """Runs one worker."""

    def __init__(self, app: Celery, options: dict[str, Any]) -> None:
        super().__init__(name="celeriac-test-worker", daemon=True)
        self._app = app
        self._options = options
        self._settled = threading.Event()
        self._worker: WorkController | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the worker and run it: both belong into one thread."""
        try:
            self._app.set_current()
            self._worker = self._app.Worker(ready_callback=lambda _: self._settled.set(), **self._options)
            self._worker.start()
        except BaseException as error:  # noqa: BLE001  # belongs to the test
            self._error = error
        finally:
            self._settled.set()

    def begin(self) -> WorkController:
        """Start, and return the worker when it is ready.  Raises what it raises."""
        self.start()
        self._settled.wait()
        if self._error is not None:
            raise self._error
        assert self._worker is not None
        return self._worker

    def end(self, timeout: float) -> None:
        """Stop the worker, finishing what runs.  Raises what it has raised, and TimeoutError."""
        if self._worker is not None:
            self._worker.stop()
        self.join(timeout)
        if self.is_alive():
            raise TimeoutError(f"the worker has not ended within {timeout:g} s: a task of it still runs")
        if self._error is not None:
            raise self._error
