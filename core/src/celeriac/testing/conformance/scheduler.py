"""What a scheduler of beat must do."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from celeriac.testing.conformance.demands import demand
from celeriac.testing.conformance.suite import Suite

#: Seconds within which an entry is due, and that making a scheduler does not take.
_SOON: Final = 2.0
#: Seconds for which one waits whom somebody interrupts.
_LONG: Final = 10.0


class SchedulerHarness:
    """Gives the suite schedulers of the class that `name` stands for; `app` is a Celery app with a broker of its own.

    `options` are arguments of the class.  What a scheduler sends goes to `sent`, not to the broker.
    """

    def __init__(self, name: str, app: Any, **options: Any) -> None:
        self.app = app
        self.name = name
        self.options = options
        self.sent: list[str] = []
        self._open: list[Any] = []

    def scheduler(self) -> Any:
        """Another scheduler, as a process that starts after the last one has it."""
        made = self.app.plugins.driver("scheduler", self.name)(self.app, **self.options)
        made.send_task = lambda name, *_, **__: self.sent.append(name)
        self._open.append(made)
        return made

    def configure(self, **entries: Any) -> None:
        """Have the app's configuration have these entries."""
        self.app.conf.beat_schedule = entries

    def close(self) -> None:
        """Close all schedulers."""
        for scheduler in self._open:
            scheduler.close()


class SchedulerSuite(Suite):
    """Subclass it and give `make_harness`."""

    @abstractmethod
    def make_harness(self) -> SchedulerHarness:
        """The harness for one test."""

    @property
    def harness(self) -> SchedulerHarness:
        """The harness of this test."""
        made: SchedulerHarness = super().harness
        return made

    def _task(self) -> str:
        return f"conformance-{uuid4().hex}"

    def test_what_is_due_is_sent_once(self) -> None:
        task = self._task()
        self.harness.configure(tick={"task": task, "schedule": _SOON})
        scheduler = self.harness.scheduler()
        seconds = scheduler.tick()
        demand(self.harness.sent == [], "an entry was sent before its time")
        demand(0 < seconds <= _SOON, f"an entry is due within {_SOON:g} s, the next tick was wanted in {seconds!r}")
        monotonic_deadline = time.monotonic() + 10
        while not self.harness.sent and time.monotonic() < monotonic_deadline:
            scheduler.wait(scheduler.tick())
        demand(self.harness.sent == [task], f"one run was due, and this was sent: {self.harness.sent!r}")

    def test_what_is_not_due_is_not_sent(self) -> None:
        self.harness.configure(tick={"task": self._task(), "schedule": 3600})
        scheduler = self.harness.scheduler()
        for _ in range(3):
            scheduler.tick()
        demand(self.harness.sent == [], "an entry that is due in an hour was sent")

    def test_what_is_not_enabled_is_not_sent(self) -> None:
        self.harness.configure(tick={"task": self._task(), "schedule": 0.01, "enabled": False})
        scheduler = self.harness.scheduler()
        monotonic_due = time.monotonic() + 0.02
        while time.monotonic() <= monotonic_due:
            scheduler.tick()
        scheduler.tick()
        demand(self.harness.sent == [], "an entry that is not enabled was sent")

    def test_the_next_process_knows_the_last_run(self) -> None:
        self.harness.configure(tick={"task": self._task(), "schedule": 3600, "run_at_start": True})
        first = self.harness.scheduler()
        first.tick()
        run, count = first.schedule["tick"].last_run_at, first.schedule["tick"].total_run_count
        first.close()
        second = self.harness.scheduler()
        second.tick()
        entry = second.schedule["tick"]
        demand(count == 1, f"an entry was sent once, and counts {count}")
        demand(abs(entry.last_run_at - run) < timedelta(minutes=1), f"it ran at {run}, and is said to have at {entry}")
        demand(entry.total_run_count == 2, f"two processes sent it once each, and it counts {entry.total_run_count}")

    def test_an_entry_that_is_no_longer_configured_is_gone(self) -> None:
        self.harness.configure(tick={"task": self._task(), "schedule": 3600})
        first = self.harness.scheduler()
        first.tick()
        first.close()
        self.harness.configure(other={"task": self._task(), "schedule": 3600})
        second = self.harness.scheduler()
        second.tick()
        demand("tick" not in second.schedule, "an entry is there that the configuration no longer has")
        demand("other" in second.schedule, "an entry of the configuration is not there")

    def test_closing_twice_is_harmless(self) -> None:
        self.harness.configure()
        scheduler = self.harness.scheduler()
        scheduler.tick()
        scheduler.close()
        scheduler.close()

    def test_a_wait_can_be_interrupted(self) -> None:
        self.harness.configure()
        scheduler = self.harness.scheduler()
        scheduler.tick()
        monotonic_begin = time.monotonic()
        scheduler.interrupt()
        scheduler.wait(_LONG)
        waited = time.monotonic() - monotonic_begin
        demand(waited < _LONG / 2, f"a wait of {_LONG:g} s was interrupted, and took {waited:.1f} s")
