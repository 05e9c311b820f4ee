"""Intervals, single moments, the sun, and the forms in which schedules are given and kept."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta

import pytest

from celeriac.schedules import clocked, crontab, from_dict, maybe_schedule, once, schedule, solar, to_dict


@pytest.mark.covers("schedules.schedule", "schedules.schedule.is_due", "schedules.schedule.seconds")
@pytest.mark.covers("schedules.schedule.now")
def test_an_interval_is_counted_from_the_last_run(app, clock):
    every = schedule(timedelta(minutes=1), nowfun=clock.now, app=app)
    assert every.is_due(clock.now() - timedelta(seconds=59)) == (False, 1)
    assert every.is_due(clock.now() - timedelta(seconds=60)) == (True, 60)
    assert every.is_due(clock.now() - timedelta(days=3)) == (True, 60)
    assert every.seconds == 60


@pytest.mark.covers("schedules.schedule.relative", "schedules.schedule.remaining_estimate")
@pytest.mark.parametrize(
    ("run_every", "next_run"),
    [
        (timedelta(days=1), datetime(2024, 5, 15, 22, 0, tzinfo=UTC)),  # midnight in Berlin
        (timedelta(hours=1), datetime(2024, 5, 15, 13, 0, tzinfo=UTC)),
        (timedelta(minutes=10), datetime(2024, 5, 15, 12, 35, tzinfo=UTC)),
        (timedelta(seconds=10), datetime(2024, 5, 15, 12, 25, 43, tzinfo=UTC)),
        (timedelta(milliseconds=100), datetime(2024, 5, 15, 12, 25, 33, 600_000, tzinfo=UTC)),
    ],
)
def test_a_relative_interval_is_rounded_to_its_unit(app_in, clock, run_every, next_run):
    clock.moment = datetime(2024, 5, 15, 12, 25, 33, 500_000, tzinfo=UTC)
    every = schedule(run_every, relative=True, nowfun=clock.now, app=app_in("Europe/Berlin"))
    assert clock.now() + every.remaining_estimate(clock.now()) == next_run


def test_an_hour_is_an_hour_when_the_clocks_change(app_in):
    hourly = schedule(3600, app=app_in("Europe/Berlin"))
    before = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
    assert hourly.next_after(before) == before + timedelta(hours=1)


@pytest.mark.covers("schedules.schedule.human_seconds")
@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (0.25, "0.25 seconds"),
        (1, "1.00 second"),
        (90, "1.50 minutes"),
        (7200, "2.00 hours"),
        (86400, "1.00 day"),
    ],
)
def test_an_interval_is_told_to_people(seconds, words):
    assert schedule(seconds).human_seconds == words
    assert repr(schedule(seconds)) == f"<freq: {words}>"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_an_interval_is_a_finite_number(value):
    with pytest.raises(ValueError, match="an interval"):
        schedule(value)


@pytest.mark.covers(
    "schedules.schedule.app",
    "schedules.schedule.tz",
    "schedules.schedule.utc_enabled",
    "schedules.schedule.to_local",
    "schedules.schedule.maybe_make_aware",
)
def test_without_an_app_it_is_the_current_one(app_in):
    app = app_in("Asia/Tokyo", enable_utc=False)
    app.set_current()
    every = schedule(5)
    assert every.app.main == app.main
    assert str(every.tz) == "Asia/Tokyo"
    assert every.utc_enabled is False
    assert every.to_local(datetime(2024, 5, 15, 12)).hour == 21
    assert every.maybe_make_aware(datetime(2024, 5, 15, 12)).tzinfo is UTC


def test_a_schedule_is_made_of_seconds_a_timedelta_or_itself(app):
    assert maybe_schedule(30) == schedule(30) == 30
    assert maybe_schedule(timedelta(hours=1), relative=True) == schedule(3600, relative=True)
    given = crontab()
    assert maybe_schedule(given, app=app) is given
    assert given.app is app
    for wrong in (None, "30", object()):
        with pytest.raises(TypeError, match="schedule"):
            maybe_schedule(wrong)


def test_a_single_moment_comes_once(app, clock):
    at = once(datetime(2024, 5, 15, 12, 30), nowfun=clock.now, app=app)
    before = clock.now()
    assert at.is_due(before) == (False, 1800)
    clock.set(2024, 5, 15, 12, 30)
    assert at.is_due(before) == (True, None)
    # After it ran
    assert at.is_due(clock.now()) == (False, None)
    assert clocked is once
    assert at.clocked_time == at.at


def test_a_single_naive_moment_is_in_the_zone_of_the_app(app_in):
    at = once("2024-05-15T12:00", app=app_in("Asia/Tokyo"))
    assert at.at == datetime(2024, 5, 15, 3, tzinfo=UTC)
    assert once("2024-05-15T12:00+02:00", app=app_in("Asia/Tokyo")).at.hour == 12


@pytest.mark.parametrize(
    "given",
    [
        schedule(2.5),
        schedule(86400, relative=True, tz="Europe/Berlin"),
        once("2024-05-15T12:00"),
        once(datetime(2024, 5, 15, 12, tzinfo=UTC)),
        solar("sunset", -37.81, 144.96),
    ],
)
def test_a_schedule_survives_pickle_and_json(given):
    assert pickle.loads(pickle.dumps(given)) == given  # made a line ago
    assert from_dict(json.loads(json.dumps(to_dict(given)))) == given


@pytest.mark.parametrize(
    "form",
    [
        None,
        [],
        {},
        {"type": "weekly"},
        {"type": "interval"},
        {"type": "crontab", "second": 5},
        {"type": "once", "at": "x"},
    ],
)
def test_a_form_that_is_none_is_a_value_error(form):
    with pytest.raises(ValueError):  # noqa: PT011  # the words are the parts', each tested where they are made
        from_dict(form)


def test_a_schedule_without_a_form_is_told():
    with pytest.raises(TypeError, match="has no method to_dict"):
        to_dict(object())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("moonrise", 0, 0), "no event 'moonrise'"),
        (("sunset", 91, 0), "lat is a number of degrees from -90 to 90"),
        (("sunset", 0, "x"), "lon is a number of degrees from -180 to 180"),
    ],
)
def test_an_event_of_the_sun_is_checked(arguments, words):
    with pytest.raises(ValueError, match=words):
        solar(*arguments)
