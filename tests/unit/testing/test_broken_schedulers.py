"""A scheduler that breaks its contract fails the test of the kit that says so."""

from __future__ import annotations

import pytest

from celeriac import Celery
from celeriac.beat import PersistentScheduler
from celeriac.testing.conformance import SchedulerHarness, SchedulerSuite, scheduler

SUITE = SchedulerSuite


class Scheduler(PersistentScheduler):
    """The kernel's own, of which each mutant breaks one thing."""


class SendsTwice(Scheduler):
    def apply_entry(self, entry, producer=None):
        super().apply_entry(entry, producer)
        return super().apply_entry(entry, producer)


class SendsAtOnce(Scheduler):
    def setup_schedule(self):
        super().setup_schedule()
        for entry in self.data.values():
            entry.run_at_start = True


class SendsWhatIsDisabled(Scheduler):
    def setup_schedule(self):
        super().setup_schedule()
        for entry in self.data.values():
            entry.enabled = True


class ForgetsRuns(Scheduler):
    def __init__(self, app, schedule_filename, **options):
        self.made = getattr(app, "made", 0)
        app.made = self.made + 1
        super().__init__(app, schedule_filename=f"{schedule_filename}-{self.made}", **options)


class KeepsWhatIsGone(Scheduler):
    def setup_schedule(self):
        super().setup_schedule()
        self.app.ever = {**getattr(self.app, "ever", {}), **self.data}
        self.data.update(self.app.ever)


class ClosesOnce(Scheduler):
    def close(self):
        super().close()
        self._record = None


class CannotBeInterrupted(Scheduler):
    def interrupt(self):
        pass


MUTANTS = {
    Scheduler: set(),
    SendsTwice: {"what is due is sent once"},
    SendsAtOnce: {"what is not due is not sent"},
    SendsWhatIsDisabled: {"what is not enabled is not sent"},
    ForgetsRuns: {"the next process knows the last run"},
    KeepsWhatIsGone: {"an entry that is no longer configured is gone"},
    ClosesOnce: {"closing twice is harmless"},
    CannotBeInterrupted: {"a wait can be interrupted"},
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_scheduler_fails_by_name(mutant, failed, tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "_SOON", 0.3)
    monkeypatch.setattr(scheduler, "_LONG", 0.5)
    count = iter(range(100))

    def harness():
        app = Celery("kit", broker="memory://", set_as_current=False)
        return SchedulerHarness(mutant, app, schedule_filename=str(tmp_path / f"schedule-{next(count)}"))

    assert failed(SchedulerSuite, harness, MUTANTS[mutant]) == MUTANTS[mutant]
