"""A pool on a loop, with an executor that plays tasks: what the pool suite, and tests of pools, work with."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from celeriac import states
from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import Deposit
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Pool, PoolContext, Recipe, Report, Run
from celeriac.testing.conformance.demands import demand
from celeriac.testing.conformance.loop import TurningLoop

ECHO: Final = b"echo"
NAP: Final = b"nap"
#: A nap after which much else is over, even where the machine is busy.
LONG_NAP: Final = b"long nap"
FAIL: Final = b"fail"
EXIT: Final = b"exit"
#: A job that does not end by itself within the patience of a test.
HANG: Final = b"hang"

#: How long a job naps, in seconds: long enough for others to overtake it.
_NAP: Final = 0.2
_LONG_NAP: Final = 1.5
#: So often it is tried to have a pool run as many jobs at once as it may.
_TRIES: Final = 20
#: How long a job hangs: many naps, between which it can be interrupted wherever an exception is the means.
_NAPS: Final = 300


class PlayedExecutor:
    """Runs jobs whose body says what to do; every result is to be stored, and `flush` stores it nowhere."""

    def run(self, job: Job) -> Report:
        """Do what the body says."""
        if job.body == NAP:
            time.sleep(_NAP)
        if job.body == LONG_NAP:
            time.sleep(_LONG_NAP)
        if job.body == HANG:
            for _ in range(_NAPS):
                time.sleep(_NAP)
        if job.body == EXIT:
            raise SystemExit(3)
        kind = OutcomeKind.FAILURE if job.body == FAIL else OutcomeKind.SUCCESS
        result = StoredResult(str(job.number), states.SUCCESS, {"number": job.number})
        return Report(job.number, kind, 0.0, repr(job.body), stored=Deposit([result], []))

    def flush(self, reports: list[Report]) -> list[Report]:
        """Take the results away, as storing them would."""
        return [report._replace(stored=None) for report in reports]

    def close(self, exitcode: int = 0) -> None:
        """Nothing to release."""


class PlayedAsyncExecutor(PlayedExecutor):
    """Runs the same jobs in an event loop."""

    def enter_thread(self) -> None:
        """Nothing to prepare."""

    def awaits(self, job: Job) -> bool:  # all of them
        """Yes."""
        return True

    async def run_async(self, job: Job) -> Report:
        """Do what the body says, and let others run meanwhile."""
        naps = {NAP: _NAP, LONG_NAP: _LONG_NAP, HANG: _NAP * _NAPS}
        if job.body in naps:
            await asyncio.sleep(naps[job.body])
            job = job._replace(body=ECHO)
        return self.run(job)


class PoolHarness:
    """Gives the suite a started pool: `driver` is its class, or a name that an installed plugin answers to.

    `executor` plays the tasks: `PlayedExecutor`, or `PlayedAsyncExecutor` for a pool with event loops.
    """

    def __init__(
        self, driver: Any, concurrency: int = 2, app: Any = None, executor: type[PlayedExecutor] = PlayedExecutor
    ) -> None:
        if app is None:
            from celeriac.app.base import Celery  # only where nobody gives one

            app = Celery("conformance", broker="memory://", set_as_current=False)
        made: type[Pool] = app.plugins.driver("pool", driver)
        self.loop = TurningLoop()
        self.reports: list[Report] = []
        recipe = Recipe(f"{executor.__module__}:{executor.__qualname__}")
        context = PoolContext(app, concurrency, executor, hostname="celery@conformance", recipe=lambda: recipe)
        self.pool: Pool = made(context)
        #: What is told of starts, where `watch_starts` was called, among the reports in the order of their arrival.
        self.told: list[Run | Report] = []
        self._numbers = 0
        self._has_started = False

    def watch_starts(self) -> None:
        """Have starts told; before `start`."""
        self.pool.watch_starts(self.told.extend)

    def _on_reports(self, reports: list[Report]) -> None:
        self.told += reports
        self.reports += reports

    def has(self, feature: str) -> bool:
        """Whether the driver claims that: the name of an optional method of `Pool`, or what the suite's tests need."""
        made = type(self.pool)
        if feature == "active":
            return made.active is not Pool.active and not made.blocking
        if feature == "a free loop":  # while jobs run
            return not made.blocking
        if feature == "several at once":
            return not made.blocking and self.pool.context.concurrency > 1
        if feature == "children":
            return bool(self.start().pids())
        if feature == "jobs ahead":
            return self.start().room() > self.pool.context.concurrency
        return getattr(made, feature) is not getattr(Pool, feature)

    def start(self) -> Pool:
        """Start the pool, once; its reports are collected."""
        if not self._has_started:
            self._has_started = True
            self.pool.start(self.loop.loop, self._on_reports)
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

    def until_in_force(self) -> None:
        """Let naps be taken until as many at once are as may run: children that start slowly are there by then."""
        tells = type(self.pool).active is not Pool.active
        for _ in range(_TRIES if tells else 1):
            naps = self.submit(*[NAP] * self.pool.context.concurrency)
            most = [0]

            def seen(naps: list[int] = naps, most: list[int] = most) -> bool:
                most[0] = max(most[0], len(self.pool.active()))
                reported = {report.number for report in self.reports}
                return most[0] >= len(naps) or reported.issuperset(naps)

            self.loop.until(seen, f"{len(naps)} jobs run at once, or one after the other")
            self.outcome(naps)
            if most[0] >= len(naps):
                return

    def until_active(self, number: int) -> Run:
        """Wait until that job runs."""
        found: list[Run] = []

        def runs() -> bool:
            found[:] = [run for run in self.pool.active() if run.number == number]
            return bool(found)

        self.loop.until(runs, f"active() tells of job {number}")
        return found[0]

    def until_told(self, number: int) -> None:
        """Wait until something is told of that job: its start or its report."""
        self.loop.until(lambda: any(told.number == number for told in self.told), f"job {number} is told of")

    def close(self) -> None:
        """End the pool."""
        self.pool.terminate()
        self.loop.close()
