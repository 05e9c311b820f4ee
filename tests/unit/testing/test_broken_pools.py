"""A pool that breaks its contract fails the test of the kit that says so."""

from __future__ import annotations

import pytest

from celeriac.contracts import OutcomeKind
from celeriac.testing.conformance import PoolHarness, PoolSuite
from celeriac.testing.conformance import loop as loop_of_the_kit
from celeriac.worker.solo import SoloPool
from celeriac_prefork.pool import PreforkPool
from celeriac_threads.pool import ThreadPool

SUITE = PoolSuite


@pytest.fixture(autouse=True)
def _impatience(monkeypatch):
    """What never comes is not waited for as long as a slow pool may take."""
    monkeypatch.setattr(loop_of_the_kit.TurningLoop.until, "__defaults__", (0.5,))


class Pool(SoloPool):
    """The kernel's own, of which each mutant breaks one thing."""

    def start(self, loop, on_reports):
        super().start(loop, lambda reports: on_reports(self.told(reports)))

    def told(self, reports):
        return reports


class ForgetsReports(Pool):
    def told(self, reports):
        return [report for report in reports if report.number % 7]


class ReportsTwice(Pool):
    def told(self, reports):
        return [*reports, *reports]


class LooksAway(Pool):
    def told(self, reports):
        return [report._replace(kind=OutcomeKind.SUCCESS) for report in reports]


class MiscountsRunning(Pool):
    def running(self):
        return super().running() + 1


class HasNoRoom(Pool):
    def room(self):
        return 0


class RunsWhatItGaveBack(Pool):
    def take_back(self):
        return [job.number for job in self._waiting]


class TellsStartsTwice(Pool):
    def watch_starts(self, on_started):
        super().watch_starts(lambda runs: on_started([*runs, *runs]))


class TellsNoStarts(Pool):
    def watch_starts(self, on_started):
        super().watch_starts(lambda runs: None)


class TerminatesNothing(Pool):
    def terminate_job(self, number, signum=15):
        return any(job.number == number for job in self._waiting)


class TerminatesWhatIsNotThere(Pool):
    def terminate_job(self, number, signum=15):
        super().terminate_job(number, signum)
        return True


class RestartsWithoutModules(Pool):
    def restart(self, modules=None, reload=False):
        pass


class ReportsWhatIsNotStored(Pool):
    def told(self, reports):
        return [report._replace(stored=object()) for report in reports]


class StopsOnce(Pool):
    has_stopped = False

    def stop(self):
        if self.has_stopped:
            raise LookupError
        self.has_stopped = True
        super().stop()


class SaysNothing(Pool):
    def info(self):
        return None


class ShrinksToNothing(Pool):
    def shrink(self, n=1):
        pass


class CannotAndDoesNotSayWho(Pool):
    def _cannot(self, what, *given):
        return NotImplementedError(what)


class Threads(ThreadPool):
    """Of the plugin for threads; likewise."""


class OneAtATime(Threads):
    def room(self):
        return 1 - self.running()


class TellsNothingOfWhatRuns(Threads):
    def active(self):
        return []


class TellsStartsLate(Threads):
    def watch_starts(self, on_started):
        self.late = []
        self.tell = on_started
        super().watch_starts(self.late.extend)

    def start(self, loop, on_reports):
        def report(reports):
            on_reports(reports)
            self.tell([*self.late])
            self.late.clear()

        super().start(loop, report)


class EndsNothing(Threads):
    def terminate_job(self, number, signum=15):
        return True


class Children(PreforkPool):
    """Of the plugin for processes; likewise."""


class HidesLosses(Children):
    def start(self, loop, on_reports):
        super().start(loop, lambda told: on_reports([each._replace(kind=OutcomeKind.SUCCESS) for each in told]))


class LeavesItsChildren(Children):
    def stop(self):
        pass


class WaitsForJobs(Children):
    has_waited = False

    def terminate(self):
        if self.has_waited:
            super().terminate()
        self.has_waited = True


class GrowsInSilence(Pool):
    def grow(self, n=1):
        pass

    def shrink(self, n=1):
        pass


MUTANTS = {
    Pool: set(),
    ReportsWhatIsNotStored: {"results are stored before a job is reported"},
    StopsOnce: {"stopping twice or before starting is harmless"},
    SaysNothing: {"it says what it is"},
    ShrinksToNothing: {"it does not shrink to nothing"},
    CannotAndDoesNotSayWho: {"a pool that cannot change says so"},
    OneAtATime: {"a long job holds nobody back"},
    TellsNothingOfWhatRuns: {"what runs is active until it has ended"},
    TellsStartsLate: {"a start is told while the job runs"},
    EndsNothing: {"a running job is terminated and no other"},
    HidesLosses: {"a child that ends is reported and replaced"},
    LeavesItsChildren: {"stopping ends the children"},
    WaitsForJobs: {"terminating does not wait for jobs"},
    TellsStartsTwice: {"starts are told once each and before the report"},
    TellsNoStarts: {"starts are told once each and before the report"},
    TerminatesNothing: {"a job that has not begun is terminated too"},
    TerminatesWhatIsNotThere: {"a job that is not there is not terminated"},
    RestartsWithoutModules: {"a restart replaces the children and loses nothing"},
    GrowsInSilence: {"it grows and shrinks while jobs run"},
    ForgetsReports: {"each of many jobs is reported once"},
    ReportsTwice: {"a job runs and is reported"},
    LooksAway: {"what a job reports arrives"},
    MiscountsRunning: {"running counts what is not reported"},
    HasNoRoom: {"there is room for as many as run at once"},
    RunsWhatItGaveBack: {"what is taken back is not run"},
}


@pytest.mark.parametrize("pool", MUTANTS, ids=lambda pool: pool.__name__)
def test_a_broken_pool_fails_by_name(pool, failed, monkeypatch):
    if issubclass(pool, (Threads, Children)):
        monkeypatch.setattr(loop_of_the_kit.TurningLoop.until, "__defaults__", (1.0,))  # a child has to start
    monkeypatch.setattr("celeriac.testing.conformance.pool_harness._NAP", 0.005)
    monkeypatch.setattr("celeriac.testing.conformance.pool_harness._NAPS", 2)
    assert failed(PoolSuite, lambda: PoolHarness(pool), MUTANTS[pool]) == MUTANTS[pool]
