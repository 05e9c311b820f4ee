"""What a scheduler sends, and when."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from kombu.exceptions import OperationalError

from celeriac.beat import BeatLazyFunc, ScheduleEntry, Scheduler
from celeriac.exceptions import ImproperlyConfigured
from celeriac.plugin import hookimpl
from celeriac.schedules import BaseSchedule, crontab, schedule


def names(scheduler):
    return [name for name, _, _ in scheduler.sent]


@pytest.mark.covers("settings.beat_schedule")
def test_an_entry_is_sent_when_it_is_due(scheduler_of, ago):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 60, "args": (1,), "kwargs": {"k": 2}}})
    # Given that it has just run
    assert 59 < scheduler.tick() <= 60
    assert scheduler.sent == []
    # When its time has come
    ago(scheduler, "tick", 60)
    assert 59 < scheduler.tick() <= 60
    # Then it is sent once
    assert [(name, args, kwargs["k"]) for name, args, kwargs in scheduler.sent] == [("t", (1,), 2)]
    assert scheduler.schedule["tick"].total_run_count == 1


def test_options_and_headers_go_with_the_message(scheduler_of, ago):
    entry = {"task": "t", "schedule": 1, "options": {"queue": "q", "expires": 5, "headers": {"own": 1}}}
    scheduler = scheduler_of({"tick": entry})
    ago(scheduler, "tick", 1)
    scheduler.tick()
    ((_, _, kwargs),) = scheduler.sent
    options = kwargs["options"]
    assert (options["queue"], options["expires"]) == ("q", 5)
    assert options["headers"] == {"own": 1, "periodic_task_name": "tick", "celery_beat_task": True}


def test_a_task_that_is_known_is_sent_with_its_own_options(make_app, record, ago):
    app = make_app(beat_schedule={"tick": {"task": "proj.add", "schedule": 1, "args": [1, 2]}})
    app.task(lambda x, y: x + y, name="proj.add", queue="sums")
    messages = record(app)
    scheduler = Scheduler(app)
    ago(scheduler, "tick", 1)
    scheduler.tick()
    (message,) = messages
    assert message.routing_key == "sums"
    assert message.headers["celery_beat_task"] is True
    assert message.headers["periodic_task_name"] == "tick"


def test_lazy_arguments_are_computed_when_it_is_sent(scheduler_of, ago):
    values = iter([1, 2])
    lazy = BeatLazyFunc(lambda add: next(values) + add, 10)
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 1, "args": [lazy], "kwargs": {"in": {"a": [lazy]}}}})
    ago(scheduler, "tick", 1)
    scheduler.tick()
    ((_, args, kwargs),) = scheduler.sent
    assert (args, kwargs["in"]) == ((11,), {"a": [12]})


@pytest.mark.parametrize(
    ("policy", "deadline", "late", "count"),
    [
        ("once", None, 3600, 1),
        ("once", 30, 3600, 1),
        ("skip", None, 3600, 1),
        ("all", None, 300, 5),
        ("all", 130, 300, 3),
    ],
)
def test_runs_that_were_missed_are_made_up_for_as_the_policy_says(scheduler_of, ago, policy, deadline, late, count):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 60, "missed": policy, "deadline": deadline}})
    ago(scheduler, "tick", late)
    scheduler.tick()
    assert len(scheduler.sent) == count


@pytest.mark.parametrize(("policy", "count"), [("skip", 0), ("once", 1), ("all", 1)])
def test_a_run_beyond_the_deadline_is_left_out_where_they_are_skipped(scheduler_of, ago, policy, count):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 3600, "missed": policy}})
    ago(scheduler, "tick", 3600 + 600)
    scheduler.tick()
    assert len(scheduler.sent) == count
    # and is not looked at again before the next one
    scheduler.tick()
    assert len(scheduler.sent) == count


def test_an_interval_does_not_drift(scheduler_of, ago):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 60}})
    ago(scheduler, "tick", 75)
    before = scheduler.schedule["tick"].last_run_at
    scheduler.tick()
    assert (scheduler.schedule["tick"].last_run_at - before).total_seconds() == 60


def test_an_entry_that_is_not_enabled_is_not_sent(scheduler_of, ago):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 1, "enabled": False}})
    ago(scheduler, "tick", 100)
    assert scheduler.tick() == scheduler.max_interval
    assert scheduler.sent == []


def test_an_entry_may_run_at_the_start_too(scheduler_of):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 3600, "run_at_start": True}})
    scheduler.tick()
    scheduler.tick()
    assert names(scheduler) == ["t"]


def test_jitter_puts_a_run_off(scheduler_of):
    scheduler = scheduler_of({str(n): {"task": "t", "schedule": 60, "jitter": 30} for n in range(200)})
    scheduler.populate_heap()
    delays = [event.time - time.time() for event in scheduler._heap]
    assert min(delays) > 59
    assert 75 < max(delays) <= 90


@pytest.mark.covers("settings.beat_max_loop_interval")
def test_the_sleep_is_no_longer_than_the_longest(scheduler_of):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 3600}}, beat_max_loop_interval=7)
    assert scheduler.tick() == 7
    assert scheduler_of({}).tick() == 300
    with pytest.raises(ImproperlyConfigured, match="beat_max_loop_interval must be 0 s or more, not -1"):
        scheduler_of({}, beat_max_loop_interval=-1)


def test_what_cannot_be_sent_does_not_stop_the_others(scheduler_of, ago, caplog):
    caplog.set_level("INFO", "celeriac.beat")
    scheduler = scheduler_of({"bad": {"task": "t", "schedule": 1}, "good": {"task": "u", "schedule": 1}})
    send = scheduler.send_task
    scheduler.send_task = lambda name, *args, **kwargs: 1 / 0 if name == "t" else send(name, *args, **kwargs)
    ago(scheduler, "bad", 1)
    ago(scheduler, "good", 1)
    scheduler.tick()
    assert names(scheduler) == ["u"]
    assert "bad (t) could not be sent: ZeroDivisionError('division by zero')" in caplog.text
    assert "Traceback" not in caplog.text


class Failing(BaseSchedule):
    """Cannot say when it is due, or which runs were missed."""

    def remaining_estimate(self, last_run_at):
        return timedelta()

    def next_after(self, moment):
        raise RuntimeError("no calendar")


class Broken(Failing):
    def is_due(self, last_run_at):
        raise RuntimeError("no clock")


def test_a_schedule_that_fails_does_not_stop_the_others(scheduler_of, ago, caplog):
    wrong = {"broken": Broken(), "failing": Failing(), "beyond": timedelta(days=900_000_000)}
    entries = {name: {"task": name, "schedule": given} for name, given in {**wrong, "good": schedule(5)}.items()}
    scheduler = scheduler_of(entries)
    for _ in range(2):
        ago(scheduler, "good", 5)
        assert 4 < scheduler.tick() <= 5
    assert names(scheduler) == ["good", "good"]
    assert "the schedule of broken (broken) fails, and is asked again in 60 s: RuntimeError('no clock')" in caplog.text
    assert "the schedule of failing (failing) fails" in caplog.text


def test_a_run_that_the_broker_did_not_take_is_sent_again(scheduler_of, ago):
    scheduler = scheduler_of({"tick": {"task": "t", "schedule": 60}})
    send = scheduler.send_task

    def refuse(*args, **kwargs):
        raise OperationalError("the broker is away")

    scheduler.send_task = refuse
    ago(scheduler, "tick", 60)
    # When the broker is away, the next try comes soon
    assert 0 < scheduler.tick() <= 1
    (fault,) = scheduler.faults()
    assert fault.startswith("the broker is out of reach: ")
    assert scheduler.schedule["tick"].total_run_count == 0
    # And when it is there again, the run is made up for
    scheduler.send_task = send
    scheduler._monotonic_again = 0.0
    scheduler.populate_heap()
    scheduler.tick()
    assert names(scheduler) == ["t"]
    assert scheduler.faults() == []
    assert scheduler.schedule["tick"].total_run_count == 1


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("t", "must be a map"),
        ({"schedule": 1}, "needs a task and a schedule"),
        ({"task": "t"}, "needs a task and a schedule"),
        ({"task": "t", "schedule": "soon"}, "is no schedule"),
        ({"task": "t", "schedule": 1, "arg": []}, "has no field 'arg'"),
        ({"task": "t", "schedule": 1, "missed": "maybe"}, "missed is one of skip, once, all"),
        ({"task": "t", "schedule": 1e300}, "an interval is no longer than 999999999 days"),
        ({"task": "t", "schedule": 1, "args": ("abc")}, "args is a list, not 'abc'"),
        ({"task": "t", "schedule": 1, "deadline": "soon"}, "deadline is a number of seconds, not 'soon'"),
        ({"task": "t", "schedule": 1, "jitter": -1}, "jitter is a number of seconds, not -1"),
    ],
)
def test_a_wrong_entry_is_told_by_its_name(scheduler_of, entry, words):
    with pytest.raises(ImproperlyConfigured) as error:
        scheduler_of({"nightly": entry})
    assert "the entry 'nightly' of beat_schedule" in str(error.value)
    assert words in str(error.value)


def test_entries_added_by_code_are_there(make_app):
    app = make_app()
    app.add_periodic_task(30, app.signature("t", args=(1,)), name="added")
    entry = Scheduler(app).schedule["added"]
    assert (entry.task, list(entry.args), entry.schedule) == ("t", [1], schedule(30))


def test_entries_added_by_a_plugin_are_there(make_app):
    class Cleaning:
        @hookimpl
        def celeriac_finalized(self, app):
            app.add_periodic_task(crontab(0, 3), app.signature("cleaning.clean"), name="clean")

    app = make_app(beat_schedule={"own": {"task": "t", "schedule": 60}})
    app.plugins.register(Cleaning())
    app.finalize()
    assert {name: entry.task for name, entry in Scheduler(app).schedule.items()} == {
        "own": "t",
        "clean": "cleaning.clean",
    }


def test_an_entry_takes_over_what_can_be_edited():
    old = ScheduleEntry("n", "t", schedule=60, total_run_count=5)
    old.update(ScheduleEntry("n", "u", schedule=crontab()))
    assert (old.task, old.schedule, old.total_run_count) == ("u", crontab(), 5)


def test_a_schedule_of_ones_own_is_asked(make_app):
    # Given one that has Celery's two methods only
    class Always:
        def is_due(self, last_run_at):
            return True, 5.0

        def remaining_estimate(self, last_run_at):
            raise NotImplementedError

    scheduler = Scheduler(make_app(beat_schedule={"own": {"task": "t", "schedule": Always()}}))
    sent = []
    scheduler.send_task = lambda name, *args, **kwargs: sent.append(name)
    # When it says that it is due, and to ask again in 5 s, then both is done
    assert 4 < scheduler.tick() <= 5
    assert scheduler.tick() > 4
    assert sent == ["t"]
