"""A worker inside the test: in a thread of this process, on the app's own broker and store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.boot import WorkController

#: What a worker that is alone, and lives for one test, has no use for.
_ALONE: Final = {"without_heartbeat": True, "without_mingle": True, "without_gossip": True}
#: Seconds that a worker is given to end when the test itself was interrupted.
_IN_HASTE: Final = 0.5


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
    startup_timeout: float = 10.0,
    WorkController: Any = None,
    **options: Any,
) -> Iterator[WorkController]:
    """Run a worker for as long as the block lasts; it takes messages when the block begins, and has ended after it.

    `options` are those of ``app.Worker``, or of `WorkController` where another class is to be the worker.  It is alone
    unless told otherwise: ``without_gossip``, ``without_mingle`` and ``without_heartbeat`` are true.  With
    `perform_ping_check` a task crosses broker, worker and store first.
    Raises what the worker raises at its start or end, and TimeoutError where it is not ready within `startup_timeout`
    seconds (its broker is out of reach), does not answer, or does not end within `shutdown_timeout`; the program ends
    all the same.  What the block raises is raised, with a note of a worker that does not end.

    >>> with start_worker(app):  # doctest: +SKIP
    ...     assert add.delay(2, 2).get(timeout=10) == 4
    """
    if loglevel is not None or logfile is not None:
        app.log.setup_logging_subsystem(loglevel, logfile)
    given = {"concurrency": concurrency, "pool": pool, "loglevel": loglevel, **_ALONE, **options}
    thread = WorkerThread(app, WorkController, given)
    worker = thread.begin(startup_timeout)
    try:
        if perform_ping_check:
            app.tasks["celery.accumulate"].delay("pong", index=0).get(timeout=ping_task_timeout)
        yield worker
    except BaseException as error:
        # Whoever presses Ctrl-C does not wait for a task that hangs.
        thread.end_after(error, shutdown_timeout if isinstance(error, Exception) else min(shutdown_timeout, _IN_HASTE))
        raise
    thread.end(shutdown_timeout)


class WorkerThread(threading.Thread):
    """Runs one worker."""

    def __init__(self, app: Celery, kind: Any, options: dict[str, Any]) -> None:
        # A daemon: what a task of the test waits for must not keep the program from ending.
        super().__init__(name="celeriac-test-worker", daemon=True)
        self._app = app
        self._kind = kind
        self._options = options
        self._settled = threading.Event()
        self._worker: WorkController | None = None
        self._error: BaseException | None = None
        self._is_given_up = False

    def run(self) -> None:
        """Make the worker and run it: both belong into one thread."""
        try:
            self._app.set_current()
            options = {"ready_callback": lambda _: self._settled.set(), **self._options}
            self._worker = self._app.Worker(**options) if self._kind is None else self._kind(app=self._app, **options)
            if self._is_given_up:
                self._worker.stop()  # one that is stopped before does not begin
            self._worker.start()
        except BaseException as error:  # noqa: BLE001  # belongs to the test
            self._error = error
        finally:
            self._settled.set()

    def begin(self, timeout: float) -> WorkController:
        """Start, and return the worker when it is ready.  Raises what it raises, and TimeoutError."""
        self.start()
        if not self._settled.wait(timeout):
            self._is_given_up = True
            if self._worker is not None:
                self._worker.stop()
            broker = self._app.connection_for_read().as_uri()
            raise TimeoutError(f"the worker is not ready within {timeout:g} s: does its broker, {broker}, answer?")
        if self._error is not None:
            raise self._error
        assert self._worker is not None
        _running.append(self)
        return self._worker

    def end(self, timeout: float) -> None:
        """Stop the worker, finishing what runs.  Raises what it has raised, and TimeoutError."""
        _running.remove(self)
        if self._worker is not None:
            self._worker.stop()
        self.join(timeout)
        if self.is_alive():
            raise TimeoutError(f"the worker has not ended within {timeout:g} s: a task of it still runs")
        if self._error is not None:
            raise self._error

    def end_after(self, error: BaseException, timeout: float) -> None:
        """Stop the worker because of that error, which is told what goes wrong with that."""
        try:
            self.end(timeout)
        except Exception as another:  # noqa: BLE001  # of two errors the first is raised
            error.add_note(f"besides, {another}")

    def ask(self, question: Callable[[WorkController], Any], timeout: float) -> Any:
        """What `question` gives, asked in the thread of the worker between two turns of its loop.

        Raises what it raises, and TimeoutError where the loop does not come round.
        """
        answers: list[Callable[[], Any]] = []
        answered = threading.Event()
        worker = self._worker
        assert worker is not None

        def answer() -> None:
            try:
                found = question(worker)
                answers.append(lambda: found)
            except Exception as error:  # noqa: BLE001  # belongs to whoever asks
                raised = error
                answers.append(lambda: _throw(raised))
            answered.set()

        worker.hub.call_soon(answer)
        if not answered.wait(timeout):
            raise TimeoutError(f"the worker does not come round within {timeout:g} s: a task of it still runs")
        return answers[0]()


#: The workers of the tests that run in this process now.
_running: Final[list[WorkerThread]] = []


def running_workers() -> list[WorkerThread]:
    """The workers that `start_worker` has started here, and that have not been told to end."""
    return list(_running)


def _throw(error: Exception) -> None:
    raise error
