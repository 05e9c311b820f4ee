"""A pool of child processes: how they come and go, and how jobs reach them; what a child does is for subclasses."""

from __future__ import annotations

import gc
import logging
import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from celeriac import signals
from celeriac.contracts.limits import NO_LIMITS, Limits, seconds
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Job, Pool, PoolContext, Report, Run, at_least_one
from celeriac.exceptions import ImproperlyConfigured
from celeriac.pools import process
from celeriac.pools.allowance import Allowance, peak_memory
from celeriac.pools.child import ChildProcess
from celeriac.pools.ending import end_at_once, see_out
from celeriac.pools.frames import LEAVING, READY, Begun, Frame, report_of
from celeriac.pools.parcel import Parcel, pack
from celeriac.pools.restarts import FIRST_DELAY, RestartDelay
from celeriac.pools.spawning import recipe_of
from celeriac.pools.spread import spread

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop
    from celeriac.contracts.pool import Recipe

logger = logging.getLogger(__name__)

#: Seconds that `stop` gives the children to end by themselves.
STOP_TIMEOUT: Final = 3.0
#: Seconds until a job is offered again that no socket would take although none holds anything.
RETRY_DELAY: Final = 0.05

C = TypeVar("C", bound=ChildProcess)


class ProcessPool(Pool, Generic[C]):
    """Forks its children from the worker, which has imported the app and its tasks by then, or starts them anew.

    Options: ``max_tasks_per_child``, ``max_memory_per_child`` (KiB), ``time_limit``, ``soft_time_limit`` (seconds),
    ``start_method`` (fork, spawn), ``alive_timeout`` (seconds that a new child has to make its executor).
    """

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        options = context.options
        # 0 is without end, as with Celery.
        most, memory = options.get("max_tasks_per_child") or None, options.get("max_memory_per_child") or None
        self._allowance = Allowance(most, memory)
        soft, hard = options.get("soft_time_limit"), options.get("time_limit")
        self._default_limits = Limits(seconds(soft, NO_LIMITS.soft), seconds(hard, NO_LIMITS.hard))
        self._loop: EventLoop
        self._on_reports: Callable[[list[Report]], None]
        self._children: list[C] = []
        #: Submitted and not yet in any child's socket.
        self._waiting: deque[Parcel] = deque()
        #: Submitted and neither reported nor taken back.
        self._running = 0
        self._alive_timeout = seconds(options.get("alive_timeout"), math.inf)
        #: What new interpreters are told; None where children are forked.
        self._recipe: Recipe | None = None
        self._restarts = RestartDelay()
        self._on_started: Callable[[list[Run]], None] | None = None
        #: A timer will offer `_waiting` again.
        self._is_retrying = False
        self._is_stopped = True
        self._has_frozen = False

    # -- what subclasses say -------------------------------------------------------------------------------------------

    @abstractmethod
    def _new_child(self) -> C:
        """A child that is not started yet."""

    @abstractmethod
    def _launch(self, child: C) -> None:
        """Start it.  Raises `OSError`."""

    @abstractmethod
    def _most(self) -> int:
        """How many jobs one child is given at most."""

    @abstractmethod
    def _left_by(self, child: C, code: int) -> tuple[list[Parcel], list[Report]]:
        """Of a dead child: the jobs that it has not begun, and the reports of those that it has."""

    def _wanted(self) -> int:
        """How many children there are to be."""
        return self.context.concurrency

    def _note(self, number: int, headers: dict[str, Any]) -> None:
        """A job was submitted."""

    def _sender(self) -> Callable[[C, Parcel], bool]:
        """What hands a job to a child."""
        return ChildProcess.send

    def _taken(self, child: C, numbers: list[int]) -> None:
        """Jobs were taken back from a child."""

    def _ended(self, child: C, numbers: list[int]) -> None:
        """Jobs of a child were reported."""

    def _forgotten(self, numbers: Iterable[int]) -> None:
        """Jobs are not the pool's any more."""

    def _gone(self, child: C) -> None:
        """A child is no more."""

    def _on_idle(self, child: C) -> None:
        """A child has nothing to do, and no job waits."""

    # -- the contract --------------------------------------------------------------------------------------------------

    def watch_starts(self, on_started: Callable[[list[Run]], None]) -> None:
        self._on_started = on_started

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        self._recipe = self._chosen_recipe()
        self._loop = loop
        self._on_reports = on_reports
        self._is_stopped = False
        if self._allowance.is_used_up(0):
            logger.warning(
                "max_memory_per_child is %d KiB, but the worker itself has %d KiB before any task: "
                "each child will be replaced after one task.",
                self._allowance.memory,
                peak_memory(),
            )
        if gc.get_freeze_count() == 0:
            # The collector writes to every object that it looks at, and so would copy memory shared with the children.
            gc.freeze()
            self._has_frozen = True
        try:
            for _ in range(self._wanted()):
                self._add_child()
        except OSError:
            self.terminate()
            raise

    def _chosen_recipe(self) -> Recipe | None:
        method = self.context.options.get("start_method") or "fork"
        if method == "fork":
            return None
        if method == "spawn":
            return recipe_of(self.context)
        raise ImproperlyConfigured(f"worker_pool_start_method must be 'fork' or 'spawn', not {method!r}")

    def room(self) -> int:
        return max(0, self._able() * self._most() - self._running)

    def submit(self, jobs: Sequence[Job]) -> None:
        note = self._note
        for job in jobs:
            try:
                parcel = pack(job)
            except OSError as error:
                self._give_up(job.number, error)
                continue
            note(job.number, job.headers)
            self._waiting.append(parcel)
        self._running += len(jobs)
        self._spread()

    def take_back(self) -> list[int]:
        for child in self._children:
            self._take_from(child)
        numbers = [parcel.number for parcel in self._waiting]
        for parcel in self._waiting:
            parcel.close()
        self._waiting.clear()
        self._running -= len(numbers)
        if numbers:
            self._forgotten(numbers)
        return numbers

    def running(self) -> int:
        return self._running

    def grow(self, n: int = 1) -> None:
        self.context.concurrency += at_least_one(n)
        for _ in range(self._wanted() - self._able()):
            self._replace()
        self._spread()

    def shrink(self, n: int = 1) -> None:
        if at_least_one(n) >= self.context.concurrency:
            raise ValueError(f"{n} of {self.context.concurrency} cannot go: one at least must stay")
        self.context.concurrency -= n
        able = sorted((child for child in self._children if child.takes_jobs), key=lambda child: len(child.assigned))
        for child in able[: max(0, len(able) - self._wanted())]:
            self._retire(child)
        self._spread()

    def restart(self, modules: Sequence[str] | None = None, reload: bool = False) -> None:
        self.context.load_modules(modules, reload)
        for child in [child for child in self._children if child.takes_jobs]:
            self._retire(child)
            self._replace()
        self._spread()

    def stop(self) -> None:
        self._end(lambda: end_at_once(see_out(self._children, STOP_TIMEOUT)))

    def terminate(self) -> None:
        self._end(lambda: end_at_once(self._children))

    def pids(self) -> list[int]:
        return [child.pid for child in self._children]

    def info(self) -> dict[str, Any]:
        soft, hard = self._default_limits
        return {
            **super().info(),
            "max-tasks-per-child": self._allowance.tasks or "N/A",
            "timeouts": [0 if limit == NO_LIMITS.soft else limit for limit in (soft, hard)],
        }

    # -- children come and go ------------------------------------------------------------------------------------------

    def _add_child(self) -> None:
        child = self._new_child()
        if signals.worker_before_create_process:
            signals.worker_before_create_process.send(sender=child)
        try:
            self._launch(child)
        except OSError:
            child.close()
            raise
        self._children.append(child)
        self._loop.add_reader(child.fileno(), self._on_readable, child)
        if child.watch is not None:
            self._loop.add_reader(child.watch, self._on_exit, child)
        if self._alive_timeout < math.inf:
            self._loop.call_later(self._alive_timeout, self._on_alive_timeout, child)

    def _on_alive_timeout(self, child: C) -> None:
        if child.is_ready or child.is_silent or child not in self._children:
            return
        logger.error(
            "Child process %d is not ready after %g s and is replaced; see worker_proc_alive_timeout.",
            child.pid,
            self._alive_timeout,
        )
        process.kill(child.pid)

    def _able(self) -> int:
        return sum(child.takes_jobs for child in self._children)

    def _replace(self) -> None:
        # Also called by timers, when much may have happened since.
        if self._is_stopped or self._able() >= self._wanted():
            return
        try:
            self._add_child()
        except OSError:
            delay = max(self._restarts.after_failure(), FIRST_DELAY)
            logger.exception("A child process could not be started; next try in %g s.", delay)
            self._replace_after(delay)
            return
        self._spread()

    def _replace_after(self, delay: float) -> None:
        if delay > 0:
            self._loop.call_later(delay, self._replace)
        else:
            self._replace()

    def _on_readable(self, child: C) -> None:
        frames, has_more = child.read()
        if not has_more:
            # It is dead or dying; what it had is settled once it is certain to be gone.
            child.is_silent = True
            self._loop.remove_reader(child.fileno())
            process.kill(child.pid)
            if child.watch is None:
                self._settle(child, process.reap(child.pid, block=True) or 0)
                return
        reports = self._reports_in(child, frames)
        if reports:
            self._on_reports(reports)
        if self._is_stopped:
            return
        if self._waiting:
            self._spread()
        elif child.takes_jobs and not child.assigned:
            self._on_idle(child)

    def _on_exit(self, child: C) -> None:
        # Not ended: an event for a descriptor that the same turn of the loop closed and this child was given anew.
        if (code := process.reap(child.pid, block=False)) is not None:
            self._settle(child, code)

    def _settle(self, child: C, code: int) -> None:
        reports = self._reports_in(child, child.read_all())
        never_begun, lost = self._left_by(child, code)
        self._put_back(never_begun)
        numbers = [report.number for report in lost]
        self._forgotten(numbers)
        self._running -= len(lost)
        was_expected = child.is_leaving
        self._forget(child)
        if not was_expected:
            self._replace_after(self._delay_after(child, code, numbers))
        if reports or lost:
            self._on_reports(reports + lost)
        if not self._is_stopped:
            self._spread()

    def _delay_after(self, child: C, code: int, lost: list[int]) -> float:
        if child.is_killed:
            assert child.kill is not None
            lost = [number for number in lost if number != child.kill.number]
            if not lost:
                return 0.0  # as intended, and told of already
        return self._restarts.after_death(child.pid, code, lost, child.has_reported)

    def _forget(self, child: C) -> None:
        self._unwatch(child)
        self._gone(child)
        self._children.remove(child)
        child.close()

    def _unwatch(self, child: C) -> None:
        if not child.is_silent:
            self._loop.remove_reader(child.fileno())
        if child.watch is not None:
            self._loop.remove_reader(child.watch)

    def _end(self, see_out_all: Callable[[], None]) -> None:
        if self._is_stopped:
            return
        self._is_stopped = True
        self.take_back()
        for child in self._children:
            self._unwatch(child)
            child.dismiss()
        see_out_all()
        for child in list(self._children):
            self._forget(child)
        self._running = 0
        if self._has_frozen:
            gc.unfreeze()

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def _reports_in(self, child: C, frames: list[Frame]) -> list[Report]:
        reports: list[Report] = []
        for frame in frames:
            if frame == READY:
                child.is_ready = True
            elif frame == LEAVING:
                self._let_go(child)
            elif isinstance(frame, tuple):
                self._tell_started(child, frame)
            else:
                child.settle(frame)
                reports += [report_of(row) for row in frame]
        if reports:
            self._running -= len(reports)
            child.is_full = False
            child.has_reported = True
            self._restarts.succeeded()
            if child.is_killed and not child.is_leaving and child.kill and child.kill.number not in child.assigned:
                # The task has survived the signal, which may still end the child at any moment.
                self._retire(child)
                self._replace()
            self._ended(child, [report.number for report in reports])
        return reports

    def _tell_started(self, child: C, begun: tuple[Begun, ...]) -> None:
        if self._on_started is not None:
            self._on_started([Run(number, child.pid, since) for number, since in begun])

    def _retire(self, child: C) -> None:
        """Have a child end once it has done what it has begun; what it has not begun is for others."""
        self._take_from(child)
        child.retire()

    def _let_go(self, child: C) -> None:
        """A child has used up its allowance: its jobs go to others, and one more of these comes now."""
        child.is_leaving = True
        self._take_from(child)
        self._replace()

    def _spread(self) -> None:
        if self._waiting:
            spread(self._waiting, self._children, self._sender(), self._most())
            if len(self._waiting) == self._running and not self._is_retrying and self._able():
                # No child has anything, so no report will bring us here again.
                self._is_retrying = True
                self._loop.call_later(RETRY_DELAY, self._retry)

    def _retry(self) -> None:
        self._is_retrying = False
        for child in self._children:
            child.is_full = False
        self._spread()

    def _take_from(self, child: C, limit: int | None = None) -> bool:
        """Let jobs, up to `limit`, that the child has not received wait for any child again; True where there were."""
        parcels = child.take_back(len(child.assigned) if limit is None else limit)
        self._put_back(parcels)
        if parcels:
            self._taken(child, [parcel.number for parcel in parcels])
        return bool(parcels)

    def _put_back(self, parcels: list[Parcel]) -> None:
        self._waiting.extendleft(reversed(parcels))

    def _give_up(self, number: int, error: OSError) -> None:
        logger.error("Job %d could not be handed to a child, it goes back to its queue: %s", number, error)
        report = Report(number, OutcomeKind.REJECTED, detail=repr(error), requeue=True)
        self._loop.call_soon(self._report_not_run, report)

    def _drop(self, number: int) -> bool:
        """Forget a job that waits for a child; True where it did."""
        parcel = next((parcel for parcel in self._waiting if parcel.number == number), None)
        if parcel is None:
            return False
        self._waiting.remove(parcel)
        parcel.close()
        self._forgotten([number])
        self._loop.call_soon(self._report_not_run, Report(number, OutcomeKind.REVOKED, None, TERMINATED))
        return True

    def _report_not_run(self, report: Report) -> None:
        if self._is_stopped:
            return
        self._running -= 1
        self._on_reports([report])
