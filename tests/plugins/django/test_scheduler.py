"""Schedules in the database: what beats share, and what the admin changes."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from celeriac import Celery
from celeriac.schedules import crontab, once, schedule, solar


@pytest.fixture
def app(tables, monkeypatch):
    monkeypatch.setattr(tables, "alias", "default")
    tables.forget_schedules()
    with Celery("schedules", broker="memory://", set_as_current=False) as app:
        yield app


@pytest.fixture
def start_beat(app):
    """Return ``start_beat()``: another scheduler, and what it has sent."""
    from celeriac_django.scheduler import DjangoScheduler

    def start():
        beat = DjangoScheduler(app)
        beat.sent = []
        beat.send_task = lambda name, *args, **options: beat.sent.append((name, options["task_id"]))
        return beat

    return start


@pytest.fixture
def add(app):
    """Return ``add(name, **columns)``: a row that ran last a minute ago."""
    from celeriac_django.models import ScheduledTask

    def create(name, **columns):
        ran = {"last_run_at": datetime.now(UTC) - timedelta(minutes=1)}
        return ScheduledTask.objects.create(name=name, task="shop.work", **{**ran, **columns})

    return create


def test_of_two_beats_one_sends_a_run(start_beat, add):
    # Given two beats that both know of a task that is due
    add("work", timing="30")
    first, second = start_beat(), start_beat()
    first._follow()
    second._follow()

    # When both tick, then one has sent it
    first.tick()
    second.tick()
    assert [name for name, _ in first.sent + second.sent] == ["shop.work"]


def test_a_run_that_a_beat_took_and_did_not_send_is_sent_by_another_with_the_same_id(start_beat, add, monkeypatch):
    # Given a beat that dies when it has taken a run
    add("work", timing="30")
    first, second = start_beat(), start_beat()
    monkeypatch.setattr(first, "apply_entry", lambda entry: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        first.tick()
    second.tick()
    assert second.sent == []

    # And another that goes on with the runs that follow
    second.data["work"].schedule = schedule(timedelta(seconds=0.01))
    assert second._take(second.data["work"], datetime.now(UTC), [datetime.now(UTC)])

    # When it finds the first overdue
    from celeriac_django.entries import task_id
    from celeriac_django.models import TakenRun

    taken = TakenRun.objects.order_by("run_at").first()
    TakenRun.objects.filter(pk=taken.pk).update(taken_at=datetime.now(UTC) - timedelta(minutes=1))
    second._send_overdue()

    # Then it sends it, once
    assert second.sent == [("shop.work", task_id("work", taken.run_at))]
    second._send_overdue()
    assert len(second.sent) == 1


def test_of_runs_of_which_the_broker_took_some_only_the_others_are_sent_again(start_beat, add, monkeypatch):
    # Given a task that missed runs, all of which are to be sent, and a broker that goes away after the first
    row = add("work", timing="10", missed="all")
    beat = start_beat()
    tries = []

    def goes_away(entry):
        tries.append(entry.options["task_id"])
        return len(tries) != 2

    monkeypatch.setattr(beat, "apply_entry", goes_away)
    beat._follow()
    entry = beat.data["work"]
    first, *others = beat.runs_of(entry, datetime.now(UTC))

    # When it sends them
    beat._send_due(entry, [first, *others])

    # Then the row stands at the run that was sent, which is counted, and beat goes on from there
    row.refresh_from_db()
    assert (row.last_run_at, row.total_run_count, row.takenrun_set.count()) == (first, 1, 0)
    beat._send_due(entry, others)
    assert len(tries) == 2 + len(others)
    assert len(set(tries)) == 1 + len(others)


def test_a_beat_follows_what_is_changed_added_and_removed(start_beat, add, monkeypatch):
    monkeypatch.setattr("celeriac_django.scheduler._LOOK", 0.0)
    row = add("work", timing="3600")
    beat = start_beat()
    beat.tick()
    assert beat.schedule["work"].schedule.seconds == 3600

    row.timing = "30"
    row.save()
    beat.tick()
    assert [name for name, _ in beat.sent] == ["shop.work"]
    row.refresh_from_db()
    assert row.total_run_count == 1

    row.delete()
    add("other", timing="sunrise 52.5 13.4", kind="solar", enabled=False)
    beat.tick()
    assert list(beat.schedule) == ["other"]


def test_a_row_that_says_nothing_sensible_is_left_out_and_the_others_are_sent(start_beat, add, caplog):
    add("bad", kind="crontab", timing="61 * * * *")
    add("good", timing="30")
    beat = start_beat()
    beat.tick()
    assert [name for name, _ in beat.sent] == ["shop.work"]
    assert "the scheduled task 'bad' is left out" in caplog.text


def test_a_task_goes_on_when_the_clock_is_set_back(start_beat, add):
    from celeriac_django.models import ScheduledTask

    def last_run():
        return ScheduledTask.objects.get(name="work").last_run_at

    # Given a task that ran in an hour that is to come again, and one that the calendar has no room for
    later = datetime.now(UTC) + timedelta(hours=1)
    add("work", timing="60", last_run_at=later)
    add("never", timing="7e13")
    # When a beat begins, then it counts from now, in the row as well, by which beats agree on who sends a run
    beat = start_beat()
    beat.tick()
    assert last_run() == beat.schedule["work"].last_run_at <= datetime.now(UTC)
    # And so does one that runs when the clock is set back
    beat.schedule["work"].last_run_at = later
    ScheduledTask.objects.filter(name="work").update(last_run_at=later)
    beat._clock_shift._offset += 3600
    beat.tick()
    assert last_run() == beat.schedule["work"].last_run_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("schedule", "kind", "timing"),
    [
        (crontab("*/5", "8-18", day_of_week="mon-fri"), "crontab", "*/5 8-18 * * mon-fri"),
        (crontab(minute={0, 30}), "crontab", "0,30 * * * *"),
        (once(datetime(2030, 1, 31, 12, tzinfo=UTC)), "once", "2030-01-31T12:00:00+00:00"),
        (solar("sunset", 52.5, 13.4), "solar", "sunset 52.5 13.4"),
    ],
)
def test_a_schedule_and_its_columns_say_the_same(app, schedule, kind, timing):
    from celeriac_django.models import ScheduledTask
    from celeriac_django.timing import schedule_of, timing_of

    columns = timing_of(schedule)
    assert columns == (kind, timing, "")
    assert schedule_of(ScheduledTask(**columns._asdict()), app) == schedule


def test_a_beat_of_a_project_sends_what_its_settings_say(project, spawn, wait_until, start_worker):
    start_worker("solo")
    command = Path(sys.executable).with_name("celeriac")
    beat = spawn(command, "-A", "proj", "beat", "-l", "INFO", cwd=project)

    def restocked():
        with closing(sqlite3.connect(project / "shop.sqlite3")) as database:
            return database.execute("SELECT count(*) FROM shop_order").fetchone()[0] >= 2

    wait_until(restocked, timeout=30)
    beat.signal(15)
    assert beat.wait() == 0
