"""Pools that were written for Celery (``celery.concurrency.base``): the base class turns ours into theirs.

Such a pool has `on_start`, `on_apply`, `on_stop`, and runs what `on_apply` is given in the process of the worker, in
its threads or greenlets; one that sends it to other processes cannot, since nothing of it can be pickled.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from abc import ABCMeta
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from celeriac.contracts import Executor, Job, OutcomeKind, Report, Run
from celeriac.contracts import Pool as Contract
from celeriac.contracts.limits import NO_LIMITS, Limits, limits_of, seconds
from celeriac.contracts.pool import PoolContext
from celeriac.exceptions import TimeLimitExceeded
from celeriac.pools.mailbox import Mailbox

logger = logging.getLogger(__name__)

#: Names that mean something else there; the kernel calls ours, so that those of a subclass are left out.
_OTHERWISE: Final = ("active", "info", "restart", "start", "terminate_job")


def apply_target(
    target: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    callback: Callable[[Any], Any] | None = None,
    accept_callback: Callable[[int, float], Any] | None = None,
    pid: int | None = None,
    getpid: Callable[[], int] = os.getpid,
    propagate: Any = (),
    monotonic: Callable[[], float] = time.monotonic,
    **_: Any,
) -> None:
    """Run a job here: tell that it begins, then what it has given."""
    if accept_callback is not None:
        accept_callback(pid or getpid(), monotonic())
    value = target(*args, **(kwargs or {}))
    if callback is not None:
        callback(value)


class _Made(ABCMeta):
    """Our pools are made of a context, Celery's of a limit and keywords."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) != 1 or not isinstance(args[0], PoolContext):
            return super().__call__(*args, **kwargs)
        context = args[0]
        made: Any = cls
        pool = made.__new__(cls)
        pool.context = context
        pool.__init__(context.concurrency, app=context.app, **context.options)
        return pool


class BasePool(Contract, metaclass=_Made):
    """Runs each job by `on_apply`, which a subclass has."""

    RUN: ClassVar[int] = 0x1
    CLOSE: ClassVar[int] = 0x2
    TERMINATE: ClassVar[int] = 0x3
    signal_safe: ClassVar[bool] = True
    is_green: ClassVar[bool] = False
    uses_semaphore: ClassVar[bool] = False
    task_join_will_block: ClassVar[bool] = True
    body_can_be_buffer: ClassVar[bool] = False

    context: PoolContext

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _OTHERWISE:
            if name in cls.__dict__:
                delattr(cls, name)
        if "name" not in cls.__dict__:
            cls.name = f"{cls.__module__}:{cls.__name__}"

    def __init__(
        self,
        limit: int | None = None,
        putlocks: bool = True,
        forking_enable: bool = True,
        callbacks_propagate: Any = (),
        app: Any = None,
        **options: Any,
    ) -> None:
        self.limit: int = limit or 1
        self.putlocks = putlocks
        self.forking_enable = forking_enable
        self.callbacks_propagate = callbacks_propagate
        self.app = app
        self.options = options
        self._state: int | None = None
        self._pool: Any = None
        self._limits = Limits(
            seconds(options.get("soft_time_limit"), NO_LIMITS.soft), seconds(options.get("time_limit"), NO_LIMITS.hard)
        )
        #: Jobs that are with the pool, by number, and when each of them began.
        self._jobs: dict[int, Run | None] = {}
        self._mailbox: Mailbox[Report | Run]
        self._on_reports: Callable[[list[Report]], None]
        self._on_started: Callable[[list[Run]], None] | None = None
        self._here = threading.local()
        #: One for each thread in which a job has run.
        self._executors: list[Executor] = []

    # -- what a subclass has ------------------------------------------------------------------------------------------

    def on_start(self) -> None:
        """The pool begins."""

    def did_start_ok(self) -> bool:
        """Whether it has begun."""
        return True

    def on_apply(self, *args: Any, **kwargs: Any) -> Any:
        """Have ``target(*args, **kwargs)`` run somewhere, best by `apply_target`."""
        raise NotImplementedError(f"{type(self).__name__} has no on_apply")

    def on_stop(self) -> None:
        """The pool ends, when nothing runs."""

    def on_terminate(self) -> None:
        """The pool ends at once."""

    def on_close(self) -> None:
        """No more jobs come."""

    def on_soft_timeout(self, job: Any) -> None:
        """A task has reached its soft limit."""

    def on_hard_timeout(self, job: Any) -> None:
        """A task has reached its hard limit."""

    def flush(self) -> None:
        """Nothing waits."""

    def maintain_pool(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to be done."""

    def register_with_event_loop(self, loop: Any) -> None:
        """The loop that the worker turns."""

    def _get_info(self) -> dict[str, Any]:
        return {"implementation": f"{type(self).__module__}:{type(self).__name__}", "max-concurrency": self.limit}

    # -- what programs ask --------------------------------------------------------------------------------------------

    def apply_async(self, target: Callable[..., Any], args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Have a function run by the pool."""
        return self.on_apply(target, args or (), kwargs or {}, **options)

    def close(self) -> None:
        """Take no more jobs."""
        self._state = self.CLOSE
        self.on_close()

    @property
    def num_processes(self) -> int:
        return self.limit

    # -- what the kernel asks -----------------------------------------------------------------------------------------

    def watch_starts(self, on_started: Callable[[list[Run]], None]) -> None:
        self._on_started = on_started

    def start(self, loop: Any, on_reports: Callable[[list[Report]], None]) -> None:
        self._on_reports = on_reports
        self._mailbox = Mailbox(loop, self._on_mail)
        self.register_with_event_loop(loop)
        self.on_start()
        self._state = self.RUN

    def room(self) -> int:
        return max(0, self.num_processes - len(self._jobs)) if self._state == self.RUN else 0

    def submit(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._jobs[job.number] = None
            soft, hard = limits_of(job.headers, self._limits)
            try:
                self.on_apply(
                    self._run,
                    (job,),
                    {},
                    callback=self._mailbox.post,
                    accept_callback=lambda pid, since, number=job.number: self._mailbox.post(Run(number, pid, since)),
                    soft_timeout=None if soft == NO_LIMITS.soft else soft,
                    timeout=None if hard == NO_LIMITS.hard else hard,
                    timeout_callback=lambda is_soft, after, number=job.number: self._timed_out(number, is_soft, after),
                    waitforslot=self.putlocks,
                    callbacks_propagate=self.callbacks_propagate,
                )
            except Exception as error:
                logger.exception("The pool %s could not run a job", self.name)
                told = f"{type(self).__name__}.on_apply raised {error!r}"
                self._mailbox.post(Report(job.number, OutcomeKind.WORKER_LOST, detail=told, is_suspect=False))

    def _run(self, job: Job) -> Report:
        """Run a job, wherever the pool calls this."""
        executor = getattr(self._here, "executor", None)
        if executor is None:
            executor = self._here.executor = self.context.executor()
            self._executors.append(executor)
        try:
            [report] = executor.flush([executor.run(job)])
        except BaseException as error:  # noqa: BLE001  # a job that is not reported is one for ever
            return Report(job.number, OutcomeKind.WORKER_LOST, detail=f"the task has ended its thread: {error!r}")
        found: Report = report
        return found

    def _timed_out(self, number: int, is_soft: bool, after: float) -> None:
        if not is_soft:
            detail = repr(TimeLimitExceeded(after))
            self._mailbox.post(Report(number, OutcomeKind.HARD_TIME_LIMIT, float(after), detail))

    def _on_mail(self, items: list[Report | Run]) -> None:
        begun = [item for item in items if isinstance(item, Run) and item.number in self._jobs]
        self._jobs.update((run.number, run) for run in begun)
        if begun and self._on_started is not None:
            self._on_started(begun)
        # One that has reached its limit may come to its end after all.
        reports = [item for item in items if isinstance(item, Report) and self._jobs.pop(item.number, item) is not item]
        if reports:
            self._on_reports(reports)

    def running(self) -> int:
        return len(self._jobs)

    def active(self) -> list[Run]:
        return [run for run in self._jobs.copy().values() if run is not None]

    def info(self) -> dict[str, Any]:
        return {**super().info(), **self._get_info()}

    def stop(self) -> None:
        if self._end():
            self.on_stop()
            for executor in self._executors:
                executor.close()

    def terminate(self) -> None:
        if self._end():
            self.on_terminate()

    def _end(self) -> bool:
        """Whether there is something to be ended."""
        if self._state is None:
            return False
        self._state = None
        self._jobs.clear()
        self._mailbox.close()
        return True


__all__ = ["BasePool", "apply_target"]
