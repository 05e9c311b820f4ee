"""What beat does when somebody sets the clock of the machine while it runs."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from celeriac.beat import StoreScheduler
from celeriac.beat.missed import counted_from, runs_due
from celeriac.protocol import wall
from celeriac.schedules import BaseSchedule, crontab, once, schedule

HALF_PAST = datetime(2024, 5, 15, 12, 30, tzinfo=UTC)


class SetClock:
    """A clock that shows what it was set to."""

    def __init__(self, moment: datetime) -> None:
        self.seconds = moment.timestamp()

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


@pytest.fixture
def clock():
    source = SetClock(HALF_PAST)
    wall.set_source(source)
    yield source
    wall.set_source(None)


class Daily(BaseSchedule):
    """One that was written for Celery: it has no way to tell its runs."""

    next_after = None

    def remaining_estimate(self, last_run_at):
        return (last_run_at.replace(hour=12, minute=0, second=0) - self.now()) % schedule(86400).run_every


@pytest.mark.parametrize(
    ("given", "back", "following", "runs"),
    [
        # What comes several times in the hour that is repeated goes on at once
        (10.0, 3600, 60, 6),
        (crontab(), 3600, 60, 1),
        # What has just run does not run again for a clock that is set right by seconds
        (10.0, 5, 65, 6),
        (crontab(), 2, 62, 1),
    ],
)
def test_a_task_goes_on_when_the_clock_is_set_back(scheduler_of, clock, caplog, given, back, following, runs):
    # Given an entry that has just run
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": given}})
    scheduler.tick()
    # When the clock is set back, and goes on
    clock.seconds -= back
    scheduler.tick()
    assert f"the clock was set back by {back} s" in caplog.text
    assert scheduler.sent == []
    for _ in range(following):
        clock.seconds += 1
        scheduler.tick()
    # Then it has run as often as in any other minute
    assert len(scheduler.sent) == runs


def test_the_runs_of_a_day_are_those_of_its_clock_when_that_is_set_back(scheduler_of, clock):
    # Given entries, and a morning
    clock.seconds = datetime(2024, 5, 15, 10, 0, tzinfo=UTC).timestamp()
    scheduler = scheduler_of(
        {"noon": {"task": "noon", "schedule": crontab(0, 12)}, "often": {"task": "o", "schedule": 600}}
    )
    scheduler.tick()

    def go_on(minutes):
        scheduler.sent.clear()
        for _ in range(minutes):
            clock.seconds += 60
            scheduler.tick()
        return [name for name, _, _ in scheduler.sent]

    assert go_on(150).count("noon") == 1
    # When the clock is set back before noon, then that comes once, and the other as often as ever
    clock.seconds -= 3600
    scheduler.tick()
    assert go_on(60) == ["o"] * 6


def test_from_when_an_entry_counts_after_the_clock_was_set_back():
    now, hour = HALF_PAST, 3600

    def after(given, seconds):
        last = datetime.fromtimestamp(now.timestamp() + seconds, UTC)
        return (counted_from(given, last, now) - now).total_seconds()

    assert after(schedule(60), -5) == -5
    assert after(schedule(60), 59) == 59
    assert after(schedule(60), 60) == 0
    assert after(crontab(0, 12, tz=UTC), 23.5 * hour) == 23.5 * hour
    assert after(crontab(0, 12, tz=UTC), 48 * hour) == 0
    # What has had its only run has none again
    assert after(once(now), hour) == hour
    assert after(Daily(), hour) == 0


def test_a_sleep_ends_when_the_clock_is_set(scheduler_of, clock):
    scheduler = scheduler_of({})
    scheduler.tick()
    sleeper = threading.Thread(target=scheduler.wait, args=(30,))
    begin = time.monotonic()
    sleeper.start()
    # When it is set on, as after a machine was suspended
    clock.seconds += 7200
    sleeper.join(20)
    assert not sleeper.is_alive()
    assert time.monotonic() - begin < 10


def test_a_moment_that_comes_again_has_another_task_id(make_app, record, clock):
    app = make_app(beat_schedule={"tick": {"task": "t", "schedule": crontab()}})
    messages = record(app)
    leader = StoreScheduler(app)
    leader.tick()
    for back in (0, 3600):
        clock.seconds -= back
        leader.tick()
        for _ in range(2):
            clock.seconds += 60
            leader.tick()
    leader.close()
    # Then no broker takes the second for the first
    ids = [message.headers["id"] for message in messages]
    assert len(ids) == len(set(ids)) == 4


@pytest.mark.parametrize("given", [schedule(60), crontab()])
def test_after_a_clock_that_began_in_1970_not_all_runs_since_then_are_gone_through(given, make_app):
    given.app = make_app()
    begin = time.monotonic()
    runs = runs_due(given, datetime.fromtimestamp(0, UTC), HALF_PAST, "all")
    assert len(runs) == 1000
    assert runs[-1] == HALF_PAST
    assert time.monotonic() - begin < 5
