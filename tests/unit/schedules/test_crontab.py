"""The forms of a crontab, what is refused, and when one is due."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from celeriac.schedules import ParseException, crontab, crontab_parser, from_dict


@pytest.mark.parametrize(
    ("spec", "numbers"),
    [
        ("*", set(range(60))),
        ("*/15", {0, 15, 30, 45}),
        ("7", {7}),
        ("1-5", {1, 2, 3, 4, 5}),
        ("0-30/10", {0, 10, 20, 30}),
        ("1,3,5-7", {1, 3, 5, 6, 7}),
        ("58-1", {58, 59, 0, 1}),
        (" 1 , 2 ", {1, 2}),
    ],
)
def test_a_field_is_read(spec, numbers):
    assert crontab_parser(60).parse(spec) == numbers


@pytest.mark.parametrize(
    ("spec", "numbers"),
    [
        ("mon-fri", {1, 2, 3, 4, 5}),
        ("sat,sun", {0, 6}),
        ("fri-mon", {5, 6, 0, 1}),
        ("fri-sun", {5, 6, 0}),
        ("5-7", {5, 6, 0}),
        ("0-7", set(range(7))),
        ("7", {0}),
        ("Wednesday", {3}),
        (["mon", 3, "5-6"], {1, 3, 5, 6}),
        (range(3), {0, 1, 2}),
    ],
)
def test_days_of_the_week_have_names_and_numbers(spec, numbers):
    assert crontab(day_of_week=spec).day_of_week == numbers


def test_months_have_names():
    assert crontab(month_of_year="jan-mar,October").month_of_year == {1, 2, 3, 10}
    assert crontab_parser(12, 1).parse("*/3") == {1, 4, 7, 10}
    assert crontab_parser(31, 1).parse("*/10") == {1, 11, 21, 31}


@pytest.mark.parametrize(
    ("field", "spec", "words"),
    [
        ("minute", 60, "minute: 60 is out of range; it takes 0-59"),
        ("minute", "a", "minute: 'a' is no number; it takes 0-59"),
        ("hour", "24", "hour: 24 is out of range; it takes 0-23"),
        ("day_of_month", 0, "day_of_month: 0 is out of range; it takes 1-31"),
        ("month_of_year", "13", "month_of_year: 13 is out of range; it takes 1-12"),
        ("day_of_week", "8", "day_of_week: 8 is out of range; it takes 0-6"),
        ("day_of_week", "fry", "day_of_week: 'fry' is no number or one of sun, mon"),
        ("minute", "*/0", "minute: the step '0'"),
        ("minute", "5/15", "write 5-59/15"),
        ("minute", "", "minute: it is empty"),
        ("minute", "1,,2", "minute: it is empty"),
        ("minute", "-5", "minute: '-5' is none"),
        ("minute", "*-5", "mixes"),
        ("hour", [], "hour is empty"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_field_and_range(field, spec, words):
    with pytest.raises(ParseException) as error:
        crontab(**{field: spec})
    assert words in str(error.value)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize("spec", [1.5, None, True, object()])
def test_what_is_no_specification_is_a_type_error(spec):
    with pytest.raises(TypeError, match="hour must be a number, a text or several"):
        crontab(hour=spec)


def test_a_day_that_never_comes_is_refused():
    with pytest.raises(ParseException, match="never comes: day_of_month 31 in month_of_year feb,apr"):
        crontab(day_of_month=31, month_of_year="feb,apr")


@pytest.mark.covers("schedules.crontab.from_string")
def test_a_line_of_a_crontab_is_read():
    assert crontab.from_string("5 4 1 6 fri") == crontab(5, 4, "fri", 1, 6)
    assert crontab.from_string("@daily") == crontab(0, 0)
    with pytest.raises(ParseException, match=r"has five fields .* has 4"):
        crontab.from_string("* * * *")


def test_crontabs_are_equal_by_what_they_mean():
    assert crontab(minute="*/30") == crontab(minute="*/30")
    assert crontab(minute=[0, 30]) == crontab(minute="30,0")
    assert crontab(minute=0) != crontab(minute=1)
    assert crontab(minute=0, tz="Europe/Berlin") != crontab(minute=0)
    assert len({crontab(minute=5), crontab(minute="5")}) == 1


def test_a_crontab_is_shown_as_a_line_of_a_crontab():
    assert repr(crontab(5, "*/2", "mon-fri", 1, "jan")) == "<crontab: 5 */2 1 jan mon-fri (m/h/dM/MY/d)>"


@pytest.mark.parametrize(
    "given",
    [crontab(), crontab(5, [1, "3-4"], "mon"), crontab(0, 2, tz="Europe/Berlin"), crontab.from_string("@weekly")],
)
def test_a_crontab_survives_pickle_and_json(given):
    assert pickle.loads(pickle.dumps(given)) == given  # made a line ago
    assert from_dict(json.loads(json.dumps(given.to_dict()))) == given


@pytest.mark.covers("schedules.crontab", "schedules.crontab.is_due", "schedules.crontab.now", "schedules.crontab.app")
def test_it_is_due_from_the_minute_on(app, clock):
    hourly = crontab(minute=30, nowfun=clock.now, app=app)
    last = datetime(2024, 5, 15, 11, 30, tzinfo=UTC)
    clock.set(2024, 5, 15, 12, 29, 59)
    assert hourly.is_due(last) == (False, 1)
    clock.set(2024, 5, 15, 12, 30)
    assert hourly.is_due(last) == (True, 3600)
    clock.set(2024, 5, 15, 12, 45)
    assert hourly.is_due(last) == (True, 45 * 60)


@pytest.mark.covers("schedules.crontab.tz", "schedules.crontab.to_local", "schedules.crontab.utc_enabled")
def test_it_is_read_in_the_time_zone_of_the_app(app_in, clock):
    app = app_in("America/New_York")
    schedule = crontab(minute=0, hour=9, nowfun=clock.now, app=app)
    clock.set(2024, 5, 15, 12, 59)
    assert schedule.is_due(datetime(2024, 5, 15, 12, 0, tzinfo=UTC)) == (False, 60)
    assert schedule.tz == ZoneInfo("America/New_York")
    assert schedule.to_local(clock.now()).hour == 8
    assert schedule.utc_enabled is True


@pytest.mark.covers("schedules.crontab.maybe_make_aware", "schedules.crontab.remaining_estimate")
def test_a_naive_last_run_is_in_utc(app_in, clock):
    schedule = crontab(minute=0, nowfun=clock.now, app=app_in("Asia/Kathmandu"))
    naive = datetime(2024, 5, 15, 12, 0)
    assert schedule.maybe_make_aware(naive) == naive.replace(tzinfo=UTC)
    assert schedule.maybe_make_aware(naive, naive_as_utc=False).utcoffset() == timedelta(hours=5, minutes=45)
    # 12:00 UTC is 17:45 there, and the next full hour 15 minutes later
    assert schedule.remaining_estimate(naive) == timedelta(minutes=15)


@pytest.mark.covers("schedules.crontab.remaining_delta")
def test_the_parts_of_the_remaining_time_are_told(app, clock):
    schedule = crontab(minute=0, nowfun=clock.now, app=app)
    last, delta, now = schedule.remaining_delta(datetime(2024, 5, 15, 11, 10, tzinfo=UTC), tz="Europe/Berlin")
    assert (last.hour, now.hour) == (13, 14)
    assert last + delta == datetime(2024, 5, 15, 12, 0, tzinfo=UTC)


@pytest.mark.covers("settings.beat_cron_starting_deadline")
def test_a_run_beyond_the_deadline_is_not_made_up_for(make_app, clock):
    app = make_app(beat_cron_starting_deadline=60)
    daily = crontab(minute=0, hour=12, nowfun=clock.now, app=app)
    yesterday = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
    clock.set(2024, 5, 15, 12, 1)
    assert daily.is_due(yesterday) == (True, 86400 - 60)
    clock.set(2024, 5, 15, 12, 1, 1)
    assert daily.is_due(yesterday) == (False, 86400 - 61)


def test_a_zone_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="no time zone 'Mars/Olympus'"):
        crontab(tz="Mars/Olympus")
