"""Periodic tasks that are added by code."""

from __future__ import annotations

from datetime import timedelta

import pytest

pytestmark = pytest.mark.covers("app.base.Celery.add_periodic_task", "settings.beat_schedule")


@pytest.fixture
def add(app):
    @app.task(name="t.add", shared=False)
    def add(x, y):
        return x + y

    return add


class Hourly:
    """A schedule of a user."""

    def is_due(self, last_run_at):
        return True, 3600.0

    def remaining_estimate(self, last_run_at):
        return timedelta(0)


@pytest.mark.parametrize("schedule", [10, 1.5, timedelta(minutes=1), Hourly()])
def test_a_signature_becomes_an_entry_under_its_own_name(app, add, schedule):
    key = app.add_periodic_task(schedule, add.s(1, 2).set(queue="q"), expires=5)
    assert key == "t.add(1, 2)"
    assert app.conf.beat_schedule == {
        key: {
            "schedule": schedule,
            "task": "t.add",
            "args": (1, 2),
            "kwargs": {},
            "options": {"queue": "q", "expires": 5},
        }
    }


def test_a_task_or_a_name_takes_arguments_and_a_signature_takes_more(app, add):
    assert app.add_periodic_task(1, add, (1,), {"y": 2}, name="by task") == "by task"
    assert app.add_periodic_task(1, "t.add", (1,), {"y": 2}) == "t.add(1, y=2)"
    app.add_periodic_task(1, add.s(2), args=(1,), name="more")
    schedule = app.conf.beat_schedule
    assert (schedule["by task"]["args"], schedule["by task"]["kwargs"]) == ((1,), {"y": 2})
    assert schedule["t.add(1, y=2)"]["task"] == "t.add"
    assert schedule["more"]["args"] == (1, 2)


def test_entries_that_are_added_before_the_configuration_is_read_come_on_top_of_those_it_has(app, add):
    app.add_periodic_task(1, add.s(1, 1), name="of code")
    assert not app.configured
    app.config_from_object({"beat_schedule": {"of conf": {"task": "t.add", "schedule": 5}}})
    assert set(app.conf.beat_schedule) == {"of conf", "of code"}


@pytest.mark.covers("app.base.Celery.on_after_configure", "app.base.Celery.on_after_finalize")
@pytest.mark.parametrize("when", ["on_after_configure", "on_after_finalize"])
def test_a_receiver_may_add_them_when_the_app_is_ready(app, add, when):
    @getattr(app, when).connect
    def set_up(sender, **_):
        sender.add_periodic_task(10, add.s(1, 2), name="each 10")

    app.finalize()
    assert app.conf.beat_schedule["each 10"]["args"] == (1, 2)


def test_entries_that_were_put_into_the_setting_in_place_stay(app, add):
    app.conf.beat_schedule["by hand"] = {"task": "t.add", "schedule": 1}
    app.add_periodic_task(1, add.s(1, 1), name="by call")
    assert set(app.conf.beat_schedule) == {"by hand", "by call"}


@pytest.mark.parametrize("schedule", ["* * * * *", None, True, object()])
def test_what_is_no_schedule_is_refused_when_it_is_added(app, add, schedule):
    with pytest.raises(TypeError, match="is no schedule: give seconds"):
        app.add_periodic_task(schedule, add.s(1, 2))


def test_what_is_no_task_is_refused(app):
    with pytest.raises(TypeError, match="neither a signature, nor a task"):
        app.add_periodic_task(1, object())
