"""What a pool must do."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from celeriac import states
from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import Deposit
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Pool, PoolContext, Report
from celeriac.testing.conformance.loop import TurningLoop
from celeriac.testing.conformance.suite import NotClaimed, Suite, demand

if TYPE_CHECKING:
    from celeriac.contracts.pool import Executor

ECHO: Final = b"echo"
NAP: Final = b"nap"
FAIL: Final = b"fail"
EXIT: Final = b"exit"

#: How long a job naps, in seconds: long enough for others to overtake it.
_NAP: Final = 0.2


class PlayedExecutor:
    """Runs jobs whose body says what to do; every result is to be stored, and `flush` stores it nowhere."""

    def run(self, job: Job) -> Report:
        """Do what the body says."""
        if job.body == NAP:
            time.sleep(_NAP)
        if job.body == EXIT:
            raise SystemExit(3)
        kind = OutcomeKind.FAILURE if job.body == FAIL else OutcomeKind.SUCCESS
        result = StoredResult(str(job.number), states.SUCCESS, {"number": job.number})
        return Report(job.number, kind, 0.0, repr(job.body), stored=Deposit([result], []))

    def flush(self, reports: list[Report]) -> list[Report]:
        """Take the results away, as storing them would."""
        return [report._replace(stored=None) for report in reports]

    def close(self) -> None:
        """Nothing to release."""


def make_executor() -> Executor:
    """What a pool calls in each child."""
    return PlayedExecutor()


class PoolHarness:
    """Gives the suite a started pool: `driver` is its class, or a name that an installed plugin answers to."""

    def __init__(self, driver: Any, concurrency: int = 2, app: Any = None) -> None:
        if app is None:
            from celeriac.app.base import Celery  # only where nobody gives one

            app = Celery("conformance", broker="memory://", set_as_current=False)
        made: type[Pool] = app.plugins.driver("pool", driver)
        self.loop = TurningLoop()
        self.reports: list[Report] = []
        self.pool: Pool = made(PoolContext(app, concurrency, make_executor, hostname="celery@conformance"))
        self._numbers = 0

    def start(self) -> Pool:
        """Start the pool; its reports are collected."""
        self.pool.start(self.loop.loop, self.reports.extend)
        return self.pool

    def submit(self, *bodies: bytes) -> list[int]:
        """Submit a job for each body as soon as there is room; gives their numbers."""
        numbers: list[int] = []
        for body in bodies:
            self.loop.until(lambda: self.pool.room() > 0, "the pool has room")
            self._numbers += 1
            numbers.append(self._numbers)
            self.pool.submit(
                [Job(self._numbers, {"task": "conformance", "id": "x"}, body, "text/plain", "utf-8", {}, {})]
            )
        return numbers

    def outcome(self, numbers: list[int]) -> dict[int, Report]:
        """The reports of those jobs; the test fails if they do not come, or if one comes twice."""
        wanted = set(numbers)
        self.loop.until(
            lambda: wanted <= {report.number for report in self.reports}, f"all of {len(wanted)} jobs are reported"
        )
        found = {report.number: report for report in self.reports}
        demand(len(found) == len(self.reports), "a job was reported more than once")
        return {number: found[number] for number in numbers}

    def close(self) -> None:
        """End the pool."""
        self.pool.terminate()
        self.loop.close()


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

    def test_a_long_job_holds_nobody_back(self) -> None:
        pool = self.harness.start()
        if pool.blocking or pool.context.concurrency < 2:
            raise NotClaimed("it runs one job at a time")
        (long,) = self.harness.submit(NAP)
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

    def test_a_child_that_ends_is_reported_and_replaced(self) -> None:
        pool = self.harness.start()
        if not pool.pids():
            raise NotClaimed("it has no children")
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

    def test_terminating_does_not_wait_for_jobs(self) -> None:
        pool = self.harness.start()
        if not pool.pids():
            raise NotClaimed("it has no children")
        self.harness.submit(*[NAP] * 2)
        begun = time.monotonic()
        pool.terminate()
        demand(not pool.pids(), f"after terminate() there are children: {pool.pids()}")
        demand(time.monotonic() - begun < 5, "terminate() took over 5 s")

    def test_it_says_what_it_is(self) -> None:
        pool = self.harness.start()
        demand(isinstance(pool.info(), dict), f"info() must be a map, and is {pool.info()!r}")
        demand(isinstance(getattr(pool, "name", None), str), "the pool has no name")
