"""When the sun rises, stands highest and sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from celeriac import Celery
from celeriac.schedules import solar

EVENTS = [
    *("dawn_astronomical", "dawn_nautical", "dawn_civil", "sunrise", "solar_noon"),
    *("sunset", "dusk_civil", "dusk_nautical", "dusk_astronomical"),
]


@pytest.fixture
def app():
    with Celery("sun", set_as_current=False) as app:
        yield app


@pytest.mark.covers("schedules.solar")
@pytest.mark.covers(
    "schedules.solar.is_due",
    "schedules.solar.remaining_estimate",
    "schedules.solar.max_search_days",
    "schedules.solar.app",
    "schedules.solar.now",
    "schedules.solar.tz",
    "schedules.solar.utc_enabled",
    "schedules.solar.to_local",
    "schedules.solar.maybe_make_aware",
)
def test_the_events_of_a_day_come_in_their_order(app):
    # Given Greenwich at an equinox, when the sun is up for half a day, around noon
    midnight = datetime(2024, 3, 20, tzinfo=UTC)
    found = [solar(event, 51.48, 0, app=app).next_after(midnight) for event in EVENTS]
    assert found == sorted(found)
    assert all(moment < midnight + timedelta(days=1) for moment in found)
    by_name = dict(zip(EVENTS, found, strict=True))
    # By the tables of the Royal Observatory, to a few minutes
    for event, expected in (("sunrise", (6, 2)), ("solar_noon", (12, 7)), ("sunset", (18, 13))):
        moment = midnight.replace(hour=expected[0], minute=expected[1])
        assert abs(by_name[event] - moment) < timedelta(minutes=4), event
    schedule = solar("sunset", 51.48, 0, app=app, nowfun=lambda: by_name["sunset"])
    assert schedule.is_due(midnight).is_due
    assert 86_000 < schedule.is_due(midnight).next < 86_800
    assert schedule.is_due(by_name["sunset"]) == (False, schedule.is_due(midnight).next)
    assert schedule.remaining_estimate(midnight) == timedelta()
    assert (schedule.app, schedule.tz, schedule.utc_enabled, schedule.max_search_days) == (app, UTC, True, 365)
    assert schedule.to_local(schedule.maybe_make_aware(datetime(2024, 3, 20))) == midnight
    assert schedule.now() == by_name["sunset"]


@pytest.mark.parametrize("event", EVENTS)
def test_the_next_event_is_another_one(app, event):
    schedule, moment = solar(event, -37.81, 144.96, app=app), datetime(2024, 1, 1, tzinfo=UTC)
    for _ in range(20):
        following = schedule.next_after(moment)
        assert timedelta(hours=23) < following - moment < timedelta(hours=25) or moment.hour == 0
        moment = following


def test_where_the_sun_does_not_rise_for_months_the_next_time_is_found(app):
    # Tromsø sees no sun from the end of November to the middle of January.
    found = solar("sunrise", 69.65, 18.96, app=app).next_after(datetime(2024, 12, 1, tzinfo=UTC))
    assert datetime(2025, 1, 10, tzinfo=UTC) < found < datetime(2025, 1, 20, tzinfo=UTC)
    # At the pole no day has a sunrise.
    assert solar("sunrise", 90, 0, app=app).next_after(datetime(2024, 1, 1, tzinfo=UTC)) is None
