"""What a pool must do."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from typing import Any

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import TERMINATED, Pool, Run
from celeriac.testing.conformance.claims import needs
from celeriac.testing.conformance.demands import demand, fail
from celeriac.testing.conformance.loop import PATIENCE
from celeriac.testing.conformance.pool_harness import ECHO, EXIT, FAIL, HANG, LONG_NAP, NAP, PoolHarness
from celeriac.testing.conformance.suite import Suite


class PoolSuite(Suite, ABC):
    """Subclass it and give `make_harness`."""

    @abstractmethod
    def make_harness(self) -> PoolHarness:
        """The harness for one test."""

    @property
    def harness(self) -> PoolHarness:
        """The harness of this test."""
        made: PoolHarness = super().harness
        return made

    def test_a_job_runs_and_is_reported(self) -> None:
        self.harness.start()
        numbers = self.harness.submit(ECHO)
        report = self.harness.outcome(numbers)[numbers[0]]
        demand(report.kind == OutcomeKind.SUCCESS, f"the job was reported as {report.kind}")
        demand(report.detail == repr(ECHO), f"the job's body arrived as {report.detail}")

    def test_what_a_job_reports_arrives(self) -> None:
        self.harness.start()
        numbers = self.harness.submit(FAIL)
        report = self.harness.outcome(numbers)[numbers[0]]
        demand(report.kind == OutcomeKind.FAILURE, f"the job reported a failure, which arrived as {report.kind}")

    def test_results_are_stored_before_a_job_is_reported(self) -> None:
        self.harness.start()
        numbers = self.harness.submit(ECHO, ECHO, ECHO)
        reports = self.harness.outcome(numbers).values()
        demand(all(report.stored is None for report in reports), "a job was reported without a call of flush")

    def test_each_of_many_jobs_is_reported_once(self) -> None:
        pool = self.harness.start()
        numbers = self.harness.submit(*[ECHO] * 300)
        self.harness.outcome(numbers)
        demand(pool.running() == 0, f"all jobs are reported, and running() says {pool.running()}")

    def test_there_is_room_for_as_many_as_run_at_once(self) -> None:
        pool = self.harness.start()
        room, concurrency = pool.room(), pool.context.concurrency
        demand(room >= (1 if pool.blocking else concurrency), f"{concurrency} run at once, and room() says {room}")

    def test_running_counts_what_is_not_reported(self) -> None:
        pool = self.harness.start()
        demand(pool.running() == 0, f"nothing was submitted, and running() says {pool.running()}")
        numbers = self.harness.submit(NAP)
        seen = len(self.harness.reports)
        demand(pool.running() == 1 - seen, f"1 job was submitted, {seen} reported, and running() says {pool.running()}")
        self.harness.outcome(numbers)

    @needs("several at once")
    def test_a_long_job_holds_nobody_back(self) -> None:
        self.harness.start()
        self.harness.until_in_force()
        (long,) = self.harness.submit(LONG_NAP)
        short = self.harness.submit(*[ECHO] * 20)
        self.harness.outcome(short)
        demand(long not in {report.number for report in self.harness.reports}, "short jobs waited for a long one")
        self.harness.outcome([long])

    def test_what_is_taken_back_is_not_run(self) -> None:
        pool = self.harness.start()
        numbers: list[int] = []
        while pool.room() > 0 and len(numbers) < 50:
            numbers += self.harness.submit(NAP)
        taken = set(pool.take_back())
        demand(taken <= set(numbers), "take_back gave numbers that were never submitted")
        self.harness.outcome([number for number in numbers if number not in taken])
        demand(not taken & {report.number for report in self.harness.reports}, "a job was taken back and reported")
        demand(pool.running() == 0, f"all is reported or taken back, and running() says {pool.running()}")

    @needs("children")
    def test_a_child_that_ends_is_reported_and_replaced(self) -> None:
        self.harness.start()
        numbers = self.harness.submit(EXIT)
        report = self.harness.outcome(numbers)[numbers[0]]
        demand(report.kind == OutcomeKind.WORKER_LOST, f"a job that ended its child was reported as {report.kind}")
        self.harness.outcome(self.harness.submit(*[ECHO] * 4))

    def test_stopping_ends_the_children(self) -> None:
        pool = self.harness.start()
        self.harness.outcome(self.harness.submit(ECHO))
        pool.stop()
        demand(not pool.pids(), f"after stop() there are children: {pool.pids()}")

    def test_stopping_twice_or_before_starting_is_harmless(self) -> None:
        pool = self.harness.pool
        pool.stop()
        self.harness.start()
        pool.stop()
        pool.stop()
        pool.terminate()
        pool.terminate()

    @needs("children")
    def test_terminating_does_not_wait_for_jobs(self) -> None:
        pool = self.harness.start()
        self.harness.submit(*[NAP] * 2)
        begun = time.monotonic()
        pool.terminate()
        demand(not pool.pids(), f"after terminate() there are children: {pool.pids()}")
        demand(time.monotonic() - begun < 5, "terminate() took over 5 s")

    def test_it_says_what_it_is(self) -> None:
        pool = self.harness.start()
        demand(isinstance(pool.info(), dict), f"info() must be a map, and is {pool.info()!r}")
        demand(isinstance(getattr(pool, "name", None), str), "the pool has no name")

    # -- what runs now -------------------------------------------------------------------------------------------------

    @needs("active")
    def test_what_runs_is_active_until_it_has_ended(self) -> None:
        pool = self.harness.start()
        demand(pool.active() == [], f"nothing was submitted, and active() says {pool.active()}")
        before = time.monotonic()
        (number,) = self.harness.submit(NAP)
        run = self.harness.until_active(number)
        demand(before <= run.since <= time.monotonic(), "a job is active since a time at which it was not")
        demand(run.pid in (pool.pids() or [os.getpid()]), f"a job runs in process {run.pid}, which is not of the pool")
        self.harness.outcome([number])
        self.harness.loop.until(lambda: not pool.active(), "what has been reported is not active")

    @needs("watch_starts")
    def test_starts_are_told_once_each_and_before_the_report(self) -> None:
        harness = self.harness
        harness.watch_starts()
        harness.start()
        numbers = harness.submit(*[ECHO] * 100, NAP, *[ECHO] * 20)
        harness.outcome(numbers)
        begun: set[int] = set()
        for told in harness.told:
            if isinstance(told, Run):
                demand(told.number not in begun, f"the start of job {told.number} was told twice")
                begun.add(told.number)
            else:
                demand(told.number in begun, f"job {told.number} was reported before its start was told")

    @needs("watch_starts", "a free loop")
    def test_a_start_is_told_while_the_job_runs(self) -> None:
        harness = self.harness
        harness.watch_starts()
        harness.start()
        # The first has another before it, whose report is on its way when it begins.
        for bodies in ([ECHO, NAP], [NAP]):
            number = harness.submit(*bodies)[-1]
            harness.until_told(number)
            first = next(told for told in harness.told if told.number == number)
            demand(isinstance(first, Run), "a job was told of only when it had ended")
            harness.outcome([number])

    # -- ending one job ------------------------------------------------------------------------------------------------

    @needs("terminate_job", "a free loop")
    def test_a_running_job_is_terminated_and_no_other(self) -> None:
        pool = self.harness.start()
        before = self.harness.submit(*[ECHO] * 10)
        (hanging,) = self.harness.submit(HANG)
        behind = self.harness.submit(*[ECHO] * min(30, pool.room()))
        self.harness.until_active(hanging)
        demand(pool.terminate_job(hanging), "the job runs, and terminate_job() says that it could not be ended")
        reports = self.harness.outcome([*before, hanging, *behind])
        ended = reports.pop(hanging)
        demand(ended.kind == OutcomeKind.REVOKED, f"a terminated job was reported as {ended.kind}")
        demand(ended.detail == TERMINATED, f"the detail of a terminated job is {ended.detail!r}")
        harmed = [report for report in reports.values() if report.kind != OutcomeKind.SUCCESS]
        demand(not harmed, f"other jobs than the terminated one were harmed: {harmed}")
        # The place of the child that died of it is taken by another.
        self.harness.outcome(self.harness.submit(*[NAP] * pool.context.concurrency))

    @needs("terminate_job", "jobs ahead")
    def test_a_job_that_has_not_begun_is_terminated_too(self) -> None:
        pool = self.harness.start()
        running = self.harness.submit(*[NAP] * pool.context.concurrency)
        (waiting,) = self.harness.submit(HANG)
        demand(pool.terminate_job(waiting), "the job waits, and terminate_job() says that there is none")
        reports = self.harness.outcome([*running, waiting])
        demand(reports[waiting].kind == OutcomeKind.REVOKED, f"it was reported as {reports[waiting].kind}")
        demand(pool.running() == 0, f"all is reported, and running() says {pool.running()}")

    def test_a_job_that_is_not_there_is_not_terminated(self) -> None:
        pool = self.harness.start()
        numbers = self.harness.submit(ECHO)
        self.harness.outcome(numbers)
        demand(not pool.terminate_job(numbers[0]), "a job that has been reported was terminated")
        demand(not pool.terminate_job(12345), "a job that was never submitted was terminated")
        self.harness.outcome(self.harness.submit(ECHO))

    # -- more and fewer ------------------------------------------------------------------------------------------------

    @needs("grow", "shrink")
    def test_it_grows_and_shrinks_while_jobs_run(self) -> None:
        pool = self.harness.start()
        size, children = pool.num_processes, len(pool.pids())
        numbers = self.harness.submit(*[NAP] * size)
        pool.grow(2)
        demand(pool.num_processes == size + 2, f"{size} grew by 2 to {pool.num_processes}")
        deadline = time.monotonic() + PATIENCE
        while len(pool.active()) < size + 2:
            # A new child may take longer to come than a nap.
            demand(time.monotonic() < deadline, "a pool that has grown runs no more jobs at once than before")
            numbers += self.harness.submit(*[NAP] * min(pool.room(), size + 2 - pool.running()))
            self.harness.loop.turn()
        pool.shrink(2)
        demand(pool.num_processes == size, f"{size + 2} shrank by 2 to {pool.num_processes}")
        self.harness.outcome(numbers)
        if pool.pids():
            self.harness.loop.until(lambda: len(pool.pids()) <= children, "the children that are too many have ended")
        numbers = self.harness.submit(*[ECHO] * 50)
        harmed = [r for r in self.harness.outcome(numbers).values() if r.kind != OutcomeKind.SUCCESS]
        demand(not harmed, f"jobs were lost as the pool shrank: {harmed}")

    @needs("shrink")
    def test_it_does_not_shrink_to_nothing(self) -> None:
        pool = self.harness.start()
        for wrong in (0, pool.num_processes):
            try:
                pool.shrink(wrong)
            except ValueError:
                continue
            fail(f"shrink({wrong}) of {pool.num_processes} raised no ValueError")
        self.harness.outcome(self.harness.submit(ECHO))

    def test_a_pool_that_cannot_change_says_so(self) -> None:
        pool = self.harness.start()
        for name in ("grow", "shrink", "restart"):
            if getattr(type(pool), name) is not getattr(Pool, name):
                continue
            try:
                getattr(pool, name)()
            except NotImplementedError as error:
                demand(pool.name in str(error), f"{name}() does not say which pool cannot: {error}")
            else:
                fail(f"{name}() did nothing and said nothing")

    @needs("restart")
    def test_a_restart_replaces_the_children_and_loses_nothing(self) -> None:
        pool = self.harness.start()
        loaded: list[Any] = []
        pool.context.load_modules = lambda modules, reload: loaded.append((modules, reload))
        self.harness.outcome(self.harness.submit(ECHO))
        before = set(pool.pids())
        numbers = self.harness.submit(*[NAP] * 2, *[ECHO] * 20)
        pool.restart(["proj.tasks"], reload=True)
        demand(loaded == [(["proj.tasks"], True)], f"the modules were not loaded as asked for: {loaded}")
        harmed = [r for r in self.harness.outcome(numbers).values() if r.kind != OutcomeKind.SUCCESS]
        demand(not harmed, f"jobs were lost in the restart: {harmed}")
        self.harness.loop.until(lambda: not before & set(pool.pids()), "the old children have ended")
        self.harness.outcome(self.harness.submit(*[ECHO] * 10))
