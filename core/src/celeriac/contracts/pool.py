"""What a pool must be: something that runs jobs and reports how each ended."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from celeriac.contracts.chords import Deposit
    from celeriac.contracts.loop import EventLoop
    from celeriac.contracts.outcome import OutcomeKind


#: The detail of the report of a job that was ended by `Pool.terminate_job`.
TERMINATED: Final = "terminated"


class Job(NamedTuple):
    """One task on its way to a child.  ``tuple(job)`` consists of plain types only, so `marshal` can carry it.

    `number` is the worker's own name for the job, unique in the life of the worker.  `delivery_info` has exchange,
    routing_key, priority and redelivered.
    """

    number: int
    headers: dict[str, Any]
    body: bytes
    content_type: str
    content_encoding: str
    delivery_info: dict[str, Any]
    properties: dict[str, Any]


class Report(NamedTuple):
    """How one job ended, on its way back.

    `runtime` is in seconds; `detail` is the repr of the return value or of the error, and for WORKER_LOST a sentence
    that says what became of the process; `requeue` only matters for REJECTED; `stored` is what is yet to be stored and
    never leaves the child (see `Executor.flush`).  `is_suspect` only matters for WORKER_LOST: False where the process
    cannot have died of this job, because another one was running.  `traceback` is the text of one, where the task's own
    code has raised.
    """

    number: int
    kind: OutcomeKind
    runtime: float | None = None
    detail: str | None = None
    requeue: bool = False
    stored: Deposit | None = None
    is_suspect: bool = True
    traceback: str | None = None


class Run(NamedTuple):
    """A job that runs now: its number, the process that it runs in, and since when (`time.monotonic`, in seconds)."""

    number: int
    pid: int
    since: float


class Executor(Protocol):
    """What a pool calls where the tasks run: made by `PoolContext.executor` once per child (or once per thread)."""

    def run(self, job: Job) -> Report:
        """Decode the body and run the task.

        Raises nothing that the task raises, except `SystemExit` and `KeyboardInterrupt`, which end the child.
        """

    def flush(self, reports: list[Report]) -> list[Report]:
        """Store the results of these jobs in one batch; what comes back may be sent to the worker.

        ``stored`` is None in all that come back, and a job whose result could not be stored is reported as
        STORE_FAILED.  Blocks while the store is out of reach, unless the settings bound that.  May be called from
        another thread than `run`, by one thread at a time, and with reports of any executor of the same context.
        Must be called before the pool reports a job.
        """

    def close(self, exitcode: int = 0) -> None:
        """The child ends, with this exit code; release what was opened."""


class AsyncExecutor(Executor, Protocol):
    """An executor that can also run jobs in an event loop, as the worker's own can.

    One of these serves a whole child: `run_async` in the loop, and `run` in other threads at the same time.
    """

    def enter_thread(self) -> None:
        """Called once in each thread that will call `run`, but the one in which the executor was made."""

    def awaits(self, job: Job) -> bool:
        """Whether `run_async` can run the job; the others are for `run`, in a thread."""

    async def run_async(self, job: Job) -> Report:
        """As `run`; `asyncio.CancelledError` is raised where the caller cancels, and then nothing is reported."""


def _load_nothing(modules: Sequence[str] | None, reload: bool) -> None:  # where there is no worker
    """Load no modules."""


class Recipe(NamedTuple):
    """How an executor is made in a process that shares no memory with the worker.

    `maker` is a function as ``"package.module:name"``, `arguments` are of plain types (those that `marshal` knows).
    """

    maker: str
    arguments: tuple[Any, ...] = ()


@dataclass(slots=True)
class PoolContext:
    """What the worker tells a pool."""

    #: The app, for its settings (``app.conf.<name>``).
    app: Any
    #: How many jobs run at once.
    concurrency: int
    #: Called in each new child (after the fork), or in the worker's process for pools that have no children.
    executor: Callable[[], Executor]
    #: The node name of the worker, e.g. ``celery@host``.
    hostname: str = ""
    #: Options of the command line that the pool knows (max_tasks_per_child, ...).
    options: dict[str, Any] = field(default_factory=dict)
    #: Imports modules into the worker's process, or imports them anew (see `Pool.restart`).
    load_modules: Callable[[Sequence[str] | None, bool], None] = _load_nothing
    #: Gives the recipe of `executor`, for start methods that need one; None where there is none.
    #: Raises `ImproperlyConfigured` where the app cannot be found by name.
    recipe: Callable[[], Recipe] | None = None


class Pool(ABC):
    """Runs jobs.  All calls come from the thread of the worker's loop, none may block unless it says so."""

    api_version: ClassVar[int] = 1
    #: How ``-P`` and ``inspect stats`` call it.
    name: ClassVar[str]
    #: True where the tasks run in the worker's own process and thread, so the loop stands still meanwhile.
    blocking: ClassVar[bool] = False

    def __init__(self, context: PoolContext) -> None:
        self.context = context

    @classmethod
    def auto_concurrency(cls, available: int) -> int:
        """How many jobs run at once where nobody says, with so many processors available."""
        return available

    def watch_starts(self, on_started: Callable[[list[Run]], None]) -> None:
        """Have `on_started` told, from the loop and in batches, of each job that begins to run.

        Called at most once and before `start`, only where somebody wants to know; elsewhere it must cost nothing per
        job.  A start is told before the report of the same job, maybe only just before.  A pool that cannot tell says
        nothing, and then nothing is told.
        """

    @abstractmethod
    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        """Start children.

        `on_reports` is called from the loop with the reports that have arrived, in batches, exactly one for each
        submitted job that was not taken back: a job whose child died is reported as WORKER_LOST by the pool itself,
        if the child may have started it; those that it provably had not started are run by another child.
        """

    @abstractmethod
    def room(self) -> int:
        """How many more jobs `submit` would take now, running ones and those handed ahead counted."""

    @abstractmethod
    def submit(self, jobs: Sequence[Job]) -> None:
        """Run these; at most `room()` of them.  An idle child gets its job before a busy one gets a second."""

    def take_back(self) -> list[int]:
        """The numbers of all jobs that were handed ahead and are now provably never started by the pool."""
        return []

    @abstractmethod
    def running(self) -> int:
        """Jobs submitted and not yet reported or taken back."""

    def active(self) -> list[Run]:
        """The jobs that run at this moment, in no order; what was handed ahead is not among them.

        May be called from any thread, and so may lag behind by a moment.
        """
        return []

    def terminate_job(self, number: int, signum: int = signal.SIGTERM) -> bool:  # see below
        """End one job and harm no other; False where the pool does not have it, or cannot end it.

        A job that runs is ended by `signum` to its child, or by the pool's next best means; a task that survives that
        goes on and ends as it ends.  One that has not begun is never started.  Either is reported as REVOKED with
        the detail "terminated", later and from the loop.  Another child takes the place of one that died of it.
        """
        return False

    @property
    def num_processes(self) -> int:
        """How many jobs run at once, as `grow` and `shrink` have left it."""
        return self.context.concurrency

    def grow(self, n: int = 1) -> None:
        """Run `n` more jobs at once.  Raises NotImplementedError in pools that cannot, ValueError for `n` below 1."""
        raise self._cannot("grow", n)

    def shrink(self, n: int = 1) -> None:
        """Run `n` fewer jobs at once; whatever runs is finished first.

        Raises NotImplementedError in pools that cannot, ValueError for `n` below 1 or where nothing would be left.
        """
        raise self._cannot("shrink", n)

    def restart(self, modules: Sequence[str] | None = None, reload: bool = False) -> None:
        """Replace the children by new ones; whatever runs is finished first, and nothing is lost.

        Before that, `modules` are imported into the worker's process, or, with `reload`, imported anew (all task
        modules where none are named).  Raises what importing them raises, and then nothing was replaced, and
        NotImplementedError in pools that cannot.
        """
        raise self._cannot("restart", modules, reload)

    def _cannot(self, what: str, *_given: object) -> NotImplementedError:
        return NotImplementedError(f"the pool {self.name!r} cannot {what} while it runs; prefork and threads can")

    @abstractmethod
    def stop(self) -> None:
        """End the children; called when nothing runs any more (``running() == 0``) or nobody cares.

        May block for a moment; what still runs after it is killed.  Tolerates never started and twice.
        """

    @abstractmethod
    def terminate(self) -> None:
        """End the children at once, whatever they do.  Jobs that ran are not reported.  Tolerates twice."""

    def interrupt(self) -> None:
        """The worker stops at once, and this is a signal handler in the loop's thread.

        A `blocking` pool may raise `WorkerTerminate` if a task runs now, which keeps the loop from hearing of it.
        """

    def pids(self) -> list[int]:
        """The process ids of the children, empty for pools without."""
        return []

    def info(self) -> dict[str, Any]:
        """Facts for ``inspect stats``."""
        return {"max-concurrency": self.context.concurrency, "processes": self.pids()}


def at_least_one(n: int) -> int:
    """`n`, by which a pool is to grow or shrink.  Raises ValueError below 1."""
    if n < 1:
        raise ValueError(f"a pool grows and shrinks by 1 or more, not by {n}")
    return n
