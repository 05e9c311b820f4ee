"""When crontabs run, on days when the clocks change as on all others: against an independent cron library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from celeriac.schedules import crontab

#: With and without changes of the clocks, in both hemispheres, by two hours, around Ramadan, late in the evening, with
#: offsets that are no full hours.
ZONES = (
    *("UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Athens", "Europe/Istanbul"),
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/St_Johns"),
    *("America/Mexico_City", "America/Nuuk", "Africa/Casablanca", "Asia/Jerusalem", "Asia/Kathmandu"),
    *("Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland", "Europe/Moscow", "Antarctica/Troll"),
)
#: Here clocks change at midnight, by half an hour, or not on the hour, which the other library rounds: `walked` judges.
ODD_ZONES = (
    *("America/Santiago", "America/Sao_Paulo", "America/Havana", "America/Asuncion", "America/Scoresbysund"),
    *("Africa/Cairo", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Asia/Amman", "Australia/Lord_Howe"),
    "Pacific/Chatham",
)
BEGIN, END = datetime(2016, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def fields(least, most):
    """A field of a crontab in every form, as text."""
    number = st.integers(least, most)
    step = st.integers(1, 12)
    # The other library takes 5-5/2 for 5-59/2, and 0-59 for a fixed time.
    pairs = st.lists(number, min_size=2, max_size=2, unique=True).filter(lambda pair: set(pair) != {least, most})
    ranges = pairs.map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.one_of(
        st.just("*"),
        step.map(lambda n: f"*/{n}"),
        number.map(str),
        ranges,
        st.tuples(ranges, step).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        st.lists(number, min_size=2, max_size=4, unique=True).map(lambda many: ",".join(map(str, sorted(many)))),
    )


@st.composite
def crontabs(draw):
    """A line of a crontab; days of the month and of the week are not both restricted, since crons differ in that."""
    minute, hour = draw(fields(0, 59)), draw(fields(0, 23))
    month = draw(st.one_of(st.just("*"), fields(1, 12)))
    day, weekday = draw(
        st.one_of(
            st.just(("*", "*")),
            st.tuples(fields(1, 28), st.just("*")),
            st.tuples(st.just("*"), fields(0, 6)),
        )
    )
    return f"{minute} {hour} {day} {month} {weekday}"


def changes(zone):
    """The moments at which the clocks of the zone change, to the minute."""
    found, step = [], timedelta(hours=6)
    moment = BEGIN
    while moment < END:
        if moment.astimezone(zone).utcoffset() != (moment + step).astimezone(zone).utcoffset():
            before, after = moment, moment + step
            while after - before > timedelta(minutes=1):
                middle = before + (after - before) / 2
                same = middle.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset()
                before, after = (middle, after) if same else (before, middle)
            found.append(after.replace(second=0, microsecond=0))
        moment += step
    return found


CHANGES = {name: changes(ZoneInfo(name)) for name in (*ZONES, *ODD_ZONES)}


@st.composite
def moments(draw, zone):
    """A moment of the ten years; most are within two days of a change of the clocks, where there is one."""
    if CHANGES[zone] and draw(st.integers(0, 3)):
        change = draw(st.sampled_from(CHANGES[zone]))
        return change + timedelta(seconds=draw(st.integers(-172_800, 172_800)))
    return BEGIN + timedelta(seconds=draw(st.integers(0, int((END - BEGIN).total_seconds()))))


def expected_runs(line, start, zone, count):
    """The next runs by the other library, each moment once."""
    runs = []
    for run in CronSim(line, start.astimezone(zone)):
        moment = run.astimezone(UTC)
        # It tells a skipped run again for each time that was skipped, and a fixed one that is over for today.
        if moment > start and moment not in runs:
            runs.append(moment)
        if len(runs) == count:
            break
    return runs


def own_runs(schedule, start, count):
    runs, moment = [], start
    for _ in range(count):
        moment = schedule.next_after(moment)
        runs.append(moment)
    return runs


@pytest.mark.parametrize("name", ZONES)
def test_crontabs_run_when_another_cron_says(name):
    zone = ZoneInfo(name)

    @settings(max_examples=60, phases=[Phase.explicit, Phase.generate])
    @given(line=crontabs(), start=moments(name))
    def check(line, start):
        expected = expected_runs(line, start, zone, 5)
        assert own_runs(crontab.from_string(line, tz=zone), start, len(expected)) == expected

    check()


def walked(minutes, hours, floating, zone, start, until):
    """The runs by walking through the minutes with a clock of the zone in view."""
    runs, minute = [], timedelta(minutes=1)
    moment = start.replace(second=0, microsecond=0)
    shown = moment.astimezone(zone).replace(tzinfo=None)
    while moment < until:
        moment += minute
        local = moment.astimezone(zone)
        before, shown = shown, local.replace(tzinfo=None)
        due = shown.minute in minutes and shown.hour in hours and (floating or not local.fold)
        if not floating and shown - before > minute:
            skipped = (before + minute * n for n in range(1, int((shown - before) / minute)))
            due = due or any(wall.minute in minutes and wall.hour in hours for wall in skipped)
        if due and moment > start:
            runs.append(moment)
    return runs


@pytest.mark.parametrize("name", ODD_ZONES)
def test_crontabs_run_when_a_clock_shows_their_time(name):
    zone = ZoneInfo(name)

    @settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
    @given(minute=fields(0, 59), hour=fields(0, 23), start=moments(name))
    def check(minute, hour, start):
        schedule = crontab(minute, hour, tz=zone)
        full = len(schedule.minute) == 60 or len(schedule.hour) == 24
        floating = full or minute.startswith("*") or hour.startswith("*")
        expected = walked(schedule.minute, schedule.hour, floating, zone, start, start + timedelta(days=2))
        assert own_runs(schedule, start, len(expected)) == expected

    check()


@given(line=crontabs(), zone=st.sampled_from((*ZONES, *ODD_ZONES)), data=st.data())
def test_a_run_is_never_before_the_last_one_and_none_lies_between(line, zone, data):
    start = data.draw(moments(zone))
    schedule = crontab.from_string(line, tz=zone)
    following = schedule.next_after(start)
    assert following > start
    # From any moment before that run it is the next one.
    assert schedule.next_after(start + (following - start) / 2) == following
    assert schedule.next_after(following - timedelta(microseconds=1)) == following


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def berlin(line):
    return crontab.from_string(line, tz="Europe/Berlin")


def test_a_fixed_time_that_is_skipped_runs_at_the_change():
    # Given 31 March 2024 in Berlin: 2:00 is 3:00, which is 1:00 UTC
    assert berlin("30 2 * * *").next_after(at(2024, 3, 31, 0, 0)) == at(2024, 3, 31, 1, 0)
    # Then the next one is at its time
    assert berlin("30 2 * * *").next_after(at(2024, 3, 31, 1, 0)) == at(2024, 4, 1, 0, 30)


def test_several_fixed_times_that_are_skipped_run_once():
    runs = own_runs(berlin("10,20,30 2 * * *"), at(2024, 3, 31, 0, 0), 2)
    assert runs == [at(2024, 3, 31, 1, 0), at(2024, 4, 1, 0, 10)]


def test_a_fixed_time_that_comes_twice_runs_the_first_time():
    # Given 27 October 2024 in Berlin: 3:00 is 2:00, so that 2:30 is at 0:30 and at 1:30 UTC
    assert own_runs(berlin("30 2 * * *"), at(2024, 10, 26, 12, 0), 2) == [
        at(2024, 10, 27, 0, 30),
        at(2024, 10, 28, 1, 30),
    ]


def test_floating_times_run_by_the_clock():
    skipped = own_runs(berlin("*/30 * * * *"), at(2024, 3, 31, 0, 0), 4)
    assert skipped == [at(2024, 3, 31, 0, 30), at(2024, 3, 31, 1, 0), at(2024, 3, 31, 1, 30), at(2024, 3, 31, 2, 0)]
    repeated = own_runs(berlin("*/30 2 * * *"), at(2024, 10, 26, 12, 0), 5)
    assert repeated[:4] == [
        at(2024, 10, 27, 0, 0),
        at(2024, 10, 27, 0, 30),
        at(2024, 10, 27, 1, 0),
        at(2024, 10, 27, 1, 30),
    ]
    assert repeated[4] == at(2024, 10, 28, 1, 0)


def test_hours_are_floating_when_they_are_stars():
    # 2:15 is skipped, and is not made up for: it is "every two hours"
    assert berlin("15 */2 * * *").next_after(at(2024, 3, 31, 0, 0)) == at(2024, 3, 31, 2, 15)


def test_a_day_that_a_zone_leaves_out_runs_when_the_next_begins():
    # Samoa had no 30 December 2011.
    schedule = crontab(minute=0, hour=12, day_of_month=30, month_of_year=12, tz="Pacific/Apia")
    assert schedule.next_after(at(2011, 12, 25)) == at(2011, 12, 30, 10, 0)


def test_leap_days_are_found_across_years():
    schedule = crontab(minute=0, hour=0, day_of_month=29, month_of_year=2, tz="UTC")
    assert schedule.next_after(at(2096, 3, 1)) == at(2104, 2, 29)


def test_days_of_week_and_month_must_both_agree():
    friday_13 = crontab(minute=0, hour=0, day_of_week="fri", day_of_month=13, tz="UTC")
    assert own_runs(friday_13, at(2024, 1, 1), 2) == [at(2024, 9, 13), at(2024, 12, 13)]
