"""Time stands still, and goes on from one moment at which something is due to the next."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from celeriac.contrib.testing.app import TestApp
from celeriac.protocol import wall
from celeriac.testing import FakeClock, published, start_worker

BEGIN = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def app():
    with TestApp("proj") as app:
        yield app


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_an_eta_is_reached_when_the_test_says_so(app, pool):
    @app.task
    def told():
        return app.now().isoformat()

    with FakeClock(BEGIN) as clock, start_worker(app, pool=pool):
        result = told.apply_async(countdown=3600)
        clock.advance(3599)
        assert result.state == "PENDING"
        clock.advance(1)
        assert result.get(timeout=10) == "2030-01-01T13:00:00+00:00"


def test_a_retry_comes_as_often_as_it_would(app):
    runs = []

    @app.task(bind=True, max_retries=None, default_retry_delay=600)
    def again(self):
        runs.append(app.now())
        raise self.retry()

    with FakeClock(BEGIN) as clock, start_worker(app):
        again.delay()
        clock.advance(hours=1, seconds=1)
        assert [round((run - BEGIN).total_seconds()) for run in runs] == [0, 600, 1200, 1800, 2400, 3000, 3600]


def test_what_has_expired_does_not_run(app):
    @app.task
    def late():
        return "ran"

    with FakeClock() as clock:
        result = late.apply_async(expires=60)
        clock.advance(61)
        with start_worker(app):
            clock.advance(0)
            assert result.state == "REVOKED"


def test_beat_sends_as_time_goes_on(app):
    with FakeClock(BEGIN) as clock, published(app, deliver=False) as sent:
        app.conf.beat_schedule = {"tick": {"task": "proj.tick", "schedule": timedelta(minutes=10)}}
        clock.beat(app)
        clock.advance(minutes=9)
        sent.assert_nothing_published()
        clock.advance(minutes=51)
    sent.assert_published("proj.tick", times=6)


def test_it_waits_for_the_tasks_that_run_and_says_what_keeps_it(app):
    gate, begun = threading.Event(), threading.Event()

    @app.task
    def hold():
        begun.set()
        gate.wait(20)

    with FakeClock() as clock, start_worker(app, pool="threads"):
        hold.delay()
        assert begun.wait(10)
        with pytest.raises(TimeoutError, match="1 tasks run"):
            clock.advance(1, timeout=0.05)
        gate.set()
        clock.advance(1)


def test_there_is_one_time(app):
    before = wall.time
    with FakeClock(datetime(2030, 1, 1)) as clock:  # taken as UTC, as is said
        assert wall.now() == clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
        with pytest.raises(RuntimeError, match="another FakeClock"), FakeClock():
            pytest.fail("the block must not begin")
        with pytest.raises(ValueError, match="does not go back"):
            clock.advance(-1)
    assert wall.time is before
    with pytest.raises(RuntimeError, match="not in use"):
        clock.advance(1)
