"""The pool of child processes."""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from signal import SIGUSR1
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Pool, PoolContext, Report
from celeriac_prefork import process
from celeriac_prefork.child import Child
from celeriac_prefork.ending import end_at_once, reports_of_lost, see_out
from celeriac_prefork.frames import LEAVING, READY, Frame, report_of
from celeriac_prefork.limits import NO_LIMITS, Limits, LimitWatch, limits_of, seconds
from celeriac_prefork.parcel import Parcel, pack
from celeriac_prefork.restarts import FIRST_DELAY, RestartDelay
from celeriac_prefork.runner import Allowance
from celeriac_prefork.spread import HAND_AHEAD, spread, take_for

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer

logger = logging.getLogger(__name__)

#: Seconds that `stop` gives the children to end by themselves.
STOP_TIMEOUT: Final = 3.0


class PreforkPool(Pool):
    """Forks its children from the worker, which has imported the app and its tasks by then.

    Options: ``max_tasks_per_child``, ``max_memory_per_child`` (KiB), ``time_limit``, ``soft_time_limit`` (seconds).
    """

    name: ClassVar[str] = "prefork"

    def __init__(self, context: PoolContext) -> None:
        super().__init__(context)
        options = context.options
        self._allowance = Allowance(options.get("max_tasks_per_child"), options.get("max_memory_per_child"))
        self._default_limits = Limits(
            seconds(options.get("soft_time_limit"), NO_LIMITS.soft), seconds(options.get("time_limit"), NO_LIMITS.hard)
        )
        self._loop: EventLoop
        self._on_reports: Callable[[list[Report]], None]
        self._children: list[Child] = []
        #: Submitted and not yet in any child's socket.
        self._waiting: deque[Parcel] = deque()
        #: Submitted and neither reported nor taken back.
        self._running = 0
        #: Those of them that have limits.
        self._limits: dict[int, Limits] = {}
        self._watches: dict[Child, LimitWatch] = {}
        self._restarts = RestartDelay()
        self._restart_timers: list[Timer] = []
        self._is_stopped = True
        self._has_frozen = False

    # -- the contract --------------------------------------------------------------------------------------------------

    def start(self, loop: EventLoop, on_reports: Callable[[list[Report]], None]) -> None:
        self._loop = loop
        self._on_reports = on_reports
        self._is_stopped = False
        if gc.get_freeze_count() == 0:
            # The collector writes to every object that it looks at, and so would copy memory shared with the children.
            gc.freeze()
            self._has_frozen = True
        try:
            for _ in range(self.context.concurrency):
                self._add_child()
        except OSError:
            self.terminate()
            raise

    def room(self) -> int:
        able = sum(child.takes_jobs for child in self._children)
        return max(0, able * HAND_AHEAD - self._running)

    def submit(self, jobs: Sequence[Job]) -> None:
        default = self._default_limits
        for job in jobs:
            try:
                parcel = pack(job)
            except OSError as error:
                self._give_up(job.number, error)
                continue
            limits = limits_of(job.headers, default)
            if limits is not NO_LIMITS:
                self._limits[job.number] = limits
            self._waiting.append(parcel)
        self._running += len(jobs)
        self._spread()

    def take_back(self) -> list[int]:
        parcels = [*self._waiting]
        self._waiting.clear()
        for child in self._children:
            parcels += self._take_from(child, HAND_AHEAD)
        for parcel in parcels:
            parcel.close()
            self._limits.pop(parcel.number, None)
        self._running -= len(parcels)
        return [parcel.number for parcel in parcels]

    def running(self) -> int:
        return self._running

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
        child = Child()
        try:
            child.start(self.context.executor, self._allowance, self._children)
        except OSError:
            child.close()
            raise
        self._children.append(child)
        self._loop.add_reader(child.fileno(), self._on_readable, child)
        if child.watch is not None:
            self._loop.add_reader(child.watch, self._on_exit, child)

    def _replace(self) -> None:
        if self._is_stopped:
            return
        try:
            self._add_child()
        except OSError:
            delay = max(self._restarts.failed(), FIRST_DELAY)
            logger.exception("A child process could not be started; next try in %g s.", delay)
            self._replace_after(delay)
            return
        self._spread()

    def _replace_after(self, delay: float) -> None:
        if delay <= 0:
            self._replace()
        else:
            self._restart_timers = [timer for timer in self._restart_timers if not getattr(timer, "canceled", False)]
            self._restart_timers.append(self._loop.call_later(delay, self._replace))

    def _on_readable(self, child: Child) -> None:
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
            self._feed(child)

    def _on_exit(self, child: Child) -> None:
        # Not ended: an event for a descriptor that the same turn of the loop closed and this child was given anew.
        if (code := process.reap(child.pid, block=False)) is not None:
            self._settle(child, code)

    def _settle(self, child: Child, code: int) -> None:
        reports = self._reports_in(child, child.read_all())
        never_begun, begun = child.take_remains()
        self._put_back(never_begun)
        lost = reports_of_lost(child, begun, code)
        self._running -= len(lost)
        for report in lost:
            self._limits.pop(report.number, None)
        was_expected = child.is_leaving
        self._forget(child)
        if not was_expected:
            self._replace_after(self._mourn(child, code, lost))
        if reports or lost:
            self._on_reports(reports + lost)
        if not self._is_stopped:
            self._spread()

    def _mourn(self, child: Child, code: int, lost: list[Report]) -> float:
        """Say what happened; returns how long to wait with the next."""
        manner = process.describe_exit(code)
        if child.has_reported or lost:
            jobs = ", ".join(str(report.number) for report in lost) or "none"
            logger.error("Child process %d ended with %s; jobs lost: %s.", child.pid, manner, jobs)
            return 0.0
        delay = self._restarts.failed()
        logger.error(
            "Child process %d ended with %s before it ran anything, %d in a row; the next one starts in %g s.",
            child.pid, manner, self._restarts.failures, delay,
        )  # fmt: skip
        return delay

    def _forget(self, child: Child) -> None:
        self._unwatch(child)
        if (watch := self._watches.pop(child, None)) is not None:
            watch.close()
        self._children.remove(child)
        child.close()

    def _unwatch(self, child: Child) -> None:
        if not child.is_silent:
            self._loop.remove_reader(child.fileno())
        if child.watch is not None:
            self._loop.remove_reader(child.watch)

    def _end(self, see_out_all: Callable[[], None]) -> None:
        if self._is_stopped:
            return
        self._is_stopped = True
        self.take_back()
        for timer in self._restart_timers:
            timer.cancel()
        for child in self._children:
            self._unwatch(child)
            child.dismiss()
        see_out_all()
        for child in list(self._children):
            self._forget(child)
        self._running = 0
        self._limits.clear()
        if self._has_frozen:
            gc.unfreeze()

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def _reports_in(self, child: Child, frames: list[Frame]) -> list[Report]:
        reports: list[Report] = []
        for frame in frames:
            if frame == READY:
                child.is_ready = True
            elif frame == LEAVING:
                self._let_go(child)
            else:
                for row in frame:
                    child.settle(row[0])
                    reports.append(report_of(row))
        if reports:
            self._running -= len(reports)
            child.is_full = False
            child.has_reported = True
            self._restarts.succeeded()
            if self._limits:
                self._forget_limits(child, [report.number for report in reports])
        return reports

    def _let_go(self, child: Child) -> None:
        """A child has used up its allowance: its jobs go to others, and one more of these comes now."""
        child.is_leaving = True
        self._put_back(self._take_from(child, HAND_AHEAD))
        self._replace()

    def _spread(self) -> None:
        if self._waiting:
            spread(self._waiting, self._children, self._send)

    def _feed(self, idle: Child) -> None:
        for parcel in (taken := take_for(idle, self._children)):
            self._waiting.append(parcel)
        if taken and self._limits:
            for watch in self._watches.values():
                for parcel in taken:
                    watch.discard(parcel.number)
        self._spread()

    def _send(self, child: Child, parcel: Parcel) -> bool:
        if not child.send(parcel):
            return False
        if self._limits and (limits := self._limits.get(parcel.number)) is not None:
            self._watch_of(child).add(parcel.number, limits)
        return True

    def _take_from(self, child: Child, limit: int) -> list[Parcel]:
        parcels = child.take_back(limit)
        if parcels and (watch := self._watches.get(child)) is not None:
            for parcel in parcels:
                watch.discard(parcel.number)
        return parcels

    def _put_back(self, parcels: list[Parcel]) -> None:
        self._waiting.extendleft(reversed(parcels))

    def _give_up(self, number: int, error: OSError) -> None:
        logger.error("Job %d could not be handed to a child, it goes back to its queue: %s", number, error)
        report = Report(number, OutcomeKind.REJECTED, detail=repr(error), requeue=True)
        self._loop.call_soon(self._report_given_up, report)

    def _report_given_up(self, report: Report) -> None:
        self._running -= 1
        self._on_reports([report])

    # -- time limits ---------------------------------------------------------------------------------------------------

    def _watch_of(self, child: Child) -> LimitWatch:
        watch = self._watches.get(child)
        if watch is None:
            watch = LimitWatch(
                self._loop, child.board.read, partial(self._on_soft_limit, child), partial(self._on_hard_limit, child)
            )
            self._watches[child] = watch
        return watch

    def _forget_limits(self, child: Child, numbers: list[int]) -> None:
        watch = self._watches.get(child)
        for number in numbers:
            if self._limits.pop(number, None) is not None and watch is not None:
                watch.discard(number)

    def _on_soft_limit(self, child: Child, number: int, limit: float) -> None:
        logger.warning("Soft time limit of %g s reached by job %d.", limit, number)
        child.board.interrupt(number)
        process.kill(child.pid, SIGUSR1)

    def _on_hard_limit(self, child: Child, number: int, limit: float) -> None:
        # With nothing left to receive, the kill can hit no job but this one.
        self._put_back(self._take_from(child, HAND_AHEAD))
        if child.board.read()[0] == number:
            logger.error("Hard time limit of %g s reached by job %d; its process is killed.", limit, number)
            child.killed_for = (number, limit)
            process.kill(child.pid)
        self._spread()
