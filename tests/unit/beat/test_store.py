"""A schedule that several beats share."""

from __future__ import annotations

import threading
from contextlib import closing, nullcontext
from datetime import UTC, timedelta

import pytest
from kombu.exceptions import OperationalError

from celeriac import Celery
from celeriac.beat import Service, StoreScheduler
from celeriac.beat.stored import StoredSchedule
from celeriac.canvas.admission import is_admitted
from celeriac.exceptions import ImproperlyConfigured, StoreUnavailable
from celeriac_memory.broker import Transport


@pytest.fixture
def entries():
    return {"hourly": {"task": "t", "schedule": 3600}}


@pytest.fixture
def stored(make_app, entries):
    app = make_app(beat_schedule=entries)
    return StoredSchedule(app)


@pytest.fixture
def run(wait_until):
    """Return ``run(app)``: a beat in a thread, stopped when the test ends."""
    running = []

    def start(app):
        service = Service(app, scheduler_cls="celeriac.beat:StoreScheduler")
        thread = threading.Thread(target=service.start)
        running.append((service, thread))
        thread.start()
        wait_until(lambda: service.scheduler.monotonic_last_tick is not None)
        return service

    yield start
    for service, thread in running:
        service.stop()
        thread.join(10)
        assert not thread.is_alive()


def test_of_two_beats_one_leads_and_the_other_takes_over(stored, run, wait_until):
    first, second = run(stored.app), run(stored.app)
    wait_until(lambda: first.scheduler.leads)
    assert not second.scheduler.leads
    # When the leader ends in order
    first.stop(wait=True)
    # Then the other one leads within a moment
    wait_until(lambda: second.scheduler.leads, timeout=2)
    assert second.scheduler.schedule.keys() == {"hourly"}


def test_changes_are_followed_within_a_second(stored, run, record, wait_until):
    messages = record(stored.app)
    service = run(stored.app)
    wait_until(lambda: service.scheduler.leads)
    stored.put("often", {"task": "u", "schedule": 0.1, "args": [1]})
    wait_until(lambda: messages, timeout=1.5)
    stored.set_enabled("often", False)
    wait_until(lambda: not service.scheduler.schedule["often"].enabled, timeout=1)
    assert stored.remove("often")
    wait_until(lambda: "often" not in service.scheduler.schedule, timeout=1)


def test_each_run_has_one_task_id_whoever_sends_it(stored, record):
    messages = record(stored.app)
    stored.put("tick", {"task": "t", "schedule": 60, "missed": "all"})
    leader = StoreScheduler(stored.app)
    leader.tick()
    entry = leader.schedule["tick"]
    entry.last_run_at -= timedelta(seconds=180)
    leader.populate_heap()
    leader.tick()
    runs = [entry.last_run_at + timedelta(seconds=60 * n) for n in (1, 2, 3)]
    assert [message.headers["id"] for message in messages] == [
        stored.task_id("tick", run, n) for n, run in enumerate(runs)
    ]
    leader.close()


def test_a_run_that_was_noted_and_perhaps_not_sent_is_sent_by_the_successor(stored, record):
    messages = record(stored.app)
    # Given a leader that dies between its note and the message
    leader = StoreScheduler(stored.app)
    leader.tick()
    leader.apply_async = lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt)
    entry = leader.schedule["hourly"]
    entry.last_run_at -= timedelta(hours=1)
    run = entry.last_run_at + timedelta(hours=1)
    leader.populate_heap()
    with pytest.raises(KeyboardInterrupt):
        leader.tick()
    leader._leadership.release()
    # When another takes over
    successor = StoreScheduler(stored.app)
    successor.tick()
    # Then it sends it, and nobody does so again
    assert [message.headers["id"] for message in messages] == [stored.task_id("hourly", run, 0)]
    successor.close()
    third = StoreScheduler(stored.app)
    third.tick()
    third.close()
    assert len(messages) == 1


def died_after_sending(stored):
    """A leader that has sent a run of the hourly task, and died before it could note that."""
    leader = StoreScheduler(stored.app)
    leader.tick()
    leader.schedule["hourly"].last_run_at -= timedelta(hours=1)
    run = leader.schedule["hourly"].last_run_at + timedelta(hours=1)
    note = leader._note

    def die(states):
        if not any(state.sending for state in states.values()):
            raise KeyboardInterrupt
        return note(states)

    leader._note = die
    leader.populate_heap()
    with pytest.raises(KeyboardInterrupt):
        leader.tick()
    leader._leadership.release()
    return stored.task_id("hourly", run, 0)


def test_a_run_that_was_sent_and_not_noted_is_not_taken_twice_by_a_broker_that_can_tell(entries, tmp_path):
    store = f"sqlite:///{tmp_path / 'queue.db'}"
    app = Celery("beats", broker=store, backend=store, beat_schedule=entries, set_as_current=False)
    stored = StoredSchedule(app)
    task_id = died_after_sending(stored)
    successor = StoreScheduler(stored.app)
    successor.tick()
    assert stored.states(["hourly"])["hourly"].sending == ()
    with stored.app.connection_for_read() as connection, closing(connection.SimpleQueue("celery")) as messages:
        assert messages.get(timeout=5).headers["id"] == task_id
        with pytest.raises(messages.Empty):
            messages.get(block=False)
    successor.close()
    app.close()


class Forgetful(Transport):
    """A broker that takes every message, whoever has sent it before."""

    publishes_once = False


def test_with_any_other_broker_it_is_sent_twice_and_the_store_admits_one_of_both(stored, record):
    stored.app.plugins.register_driver("broker", "memory", Forgetful)
    messages = record(stored.app)
    task_id = died_after_sending(stored)
    StoreScheduler(stored.app).tick()
    assert [message.headers["id"] for message in messages] == [task_id] * 2
    marks = [message.headers["admission"] for message in messages]
    assert [is_admitted(stored.app, task_id, mark) for mark in (*marks, marks[0])] == [True, False, True]


def test_nothing_else_is_sent_before_what_a_predecessor_may_not_have_sent(stored, record):
    messages = record(stored.app)
    task_id = died_after_sending(stored)
    messages.clear()
    # Given a successor that cannot reach the broker
    stored.put("tick", {"task": "t", "schedule": 0.001})
    successor, send = StoreScheduler(stored.app), StoreScheduler.send_task
    successor.send_task = lambda *args, **options: (_ for _ in ()).throw(OperationalError("away"))
    successor.tick()
    assert stored.states(["hourly"])["hourly"].sending
    # When it can
    successor.send_task = lambda *args, **options: send(successor, *args, **options)
    successor._monotonic_again = 0.0
    successor.tick()
    # Then it sends that first
    assert messages[0].headers["id"] == task_id
    successor.close()


def test_a_run_that_the_broker_did_not_take_is_sent_again(stored, record):
    stored.put("tick", {"task": "t", "schedule": 60, "missed": "all"})
    leader = StoreScheduler(stored.app)
    leader.tick()
    first = leader.schedule["tick"].last_run_at
    leader.schedule["tick"].last_run_at -= timedelta(seconds=120)
    # Given a broker that takes the first of two runs
    sent, answers = [], iter([None, OperationalError("away"), None])

    def send(name, *args, **options):
        if (answer := next(answers)) is not None:
            raise answer
        sent.append(options["task_id"])

    leader.send_task = send
    leader.populate_heap()
    leader.tick()
    leader.tick()
    assert len(sent) == 1
    # When it is tried again, after a second
    leader._monotonic_again = 0.0
    leader.populate_heap()
    leader.tick()
    # Then the second is sent by itself, and nothing is left to send
    runs = [first - timedelta(seconds=60), first]
    assert sent == [stored.task_id("tick", run, n) for n, run in enumerate(runs)]
    assert stored.states(["tick"])["tick"] == (first.astimezone(UTC), 2, ())
    leader.close()


def test_a_leader_that_slept_through_its_lease_sends_nothing(stored, record):
    messages = record(stored.app)
    sleeper = StoreScheduler(stored.app)
    sleeper.tick()
    # Given that another leads by now, which the sleeper does not know yet
    stored.store.release_lock(sleeper._leadership.lock, sleeper._leadership._owner)
    other = StoreScheduler(stored.app)
    other.tick()
    entry = sleeper.schedule["hourly"]
    entry.last_run_at -= timedelta(hours=1)
    sleeper.populate_heap()
    # When it wakes up
    sleeper.tick()
    # Then its note is refused, and nothing is sent
    assert messages == []
    assert not sleeper.leads
    other.close()
    sleeper.close()


def test_entries_of_the_configuration_come_and_go_with_it(make_app, stored):
    def led():
        scheduler = StoreScheduler(stored.app)
        scheduler.tick()
        assert scheduler.leads
        scheduler.close()
        assert scheduler.schedule.keys() == stored.all().keys()
        return stored.all().keys()

    assert led() == {"hourly"}
    stored.put("own", {"task": "u", "schedule": 5})
    assert led() == {"hourly", "own"}
    stored.app.conf.beat_schedule = {}
    assert led() == {"own"}


def looked(scheduler):
    """The scheduler, which has looked for changes whatever the time is."""
    scheduler._monotonic_looked = 0.0
    scheduler.tick()
    return scheduler


def test_the_name_of_an_entry_that_was_removed_leaves_the_store(stored):
    stored.put("own", {"task": "u", "schedule": 5})
    leader = looked(StoreScheduler(stored.app))
    # When it is removed
    stored.remove("own")
    assert "own" in stored.changes()
    looked(leader).tick()
    # Then nothing of it is left, and all others are
    assert stored.changes().keys() == {"hourly"} == leader._versions.keys() == leader.schedule.keys()
    # And it may be added again
    stored.put("own", {"task": "u", "schedule": 6})
    assert looked(leader).schedule["own"].schedule.run_every == timedelta(seconds=6)
    leader.close()


def test_a_beat_that_has_not_seen_a_removal_takes_over_without_what_was_removed(stored, record):
    messages = record(stored.app)
    stored.put("own", {"task": "u", "schedule": 0.001})
    leader, other = looked(StoreScheduler(stored.app)), looked(StoreScheduler(stored.app))
    assert (leader.leads, other.leads, "own" in other.schedule) == (True, False, True)
    # Given that the leader has forgotten it, and the other was away meanwhile and has seen a later change than that
    stored.remove("own")
    looked(leader).tick()
    leader.close()
    messages.clear()
    other._mark, other._monotonic_looked = stored.mark(), float("inf")
    # When that takes over
    other.tick()
    # Then it sends nothing of it
    assert other.leads
    assert other.schedule.keys() == {"hourly"}
    assert messages == []
    other.close()


@pytest.mark.parametrize("dies", [False, True])
def test_an_entry_that_is_added_while_its_name_is_forgotten_stays(stored, dies):
    stored.put("own", {"task": "u", "schedule": 5})
    leader = looked(StoreScheduler(stored.app))
    stored.remove("own")
    remove_members = leader.stored.store.remove_members

    # Given that it is added after the leader has looked, and the leader may die in the worst moment
    def remove(name, members):
        stored.put("own", {"task": "u", "schedule": 6})
        remove_members(name, members)
        if dies:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leader.stored.store, "remove_members", remove)
        with pytest.raises(KeyboardInterrupt) if dies else nullcontext():
            looked(leader)
    if dies:
        assert "own" not in stored.changes()
        leader._leadership.release()
        leader = StoreScheduler(stored.app)
    # When its leader, or the next, looks
    looked(leader)
    # Then it is there
    assert stored.all().keys() == {"hourly", "own"} == leader.schedule.keys()
    assert leader.leads
    looked(leader)
    assert stored.being_forgotten() == []
    leader.close()


def test_what_json_does_not_have_is_refused(stored):
    with pytest.raises(ImproperlyConfigured, match="'bad' cannot be kept in a store"):
        stored.put("bad", {"task": "t", "schedule": 1, "args": [object()]})


def test_a_store_without_the_primitives_is_told(make_app):
    with pytest.raises(ImproperlyConfigured, match="needs a result_backend with the store primitives"):
        StoredSchedule(make_app(backend="disabled://"))


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b"7", b"{},{}", b'{"fields":7,"source":""}', b"[" * 100_000])
def test_what_others_have_put_in_the_store_is_told_of_and_left_out(stored, record, caplog, kept):
    # Given entries, of one of which the store has something else
    record(stored.app)
    for name in ("a", "b", "c"):
        stored.put(name, {"task": "t", "schedule": 3600})
    stored.store.set_values({stored._key("entry", "b"): kept, stored._key("state", "c"): kept})
    # When a beat begins
    with closing(StoreScheduler(stored.app)) as scheduler:
        scheduler.tick()
        # Then it has the others
        assert scheduler.leads
        assert scheduler.schedule.keys() == {"a", "c", "hourly"}
    assert "what the store has of the entry 'b' cannot be read" in caplog.text
    assert "what the store has of the entry 'c' cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schedule", {"type": "interval", "seconds": 1e13, "relative": False}),
        ("schedule", {"type": "interval", "seconds": 1e300, "relative": False}),
        ("schedule", {"type": "nothing"}),
        ("schedule", []),
        ("deadline", 1e300),
        ("deadline", "soon"),
        ("options", [1]),
        ("kwargs", 7),
    ],
)
def test_an_entry_that_is_wrong_does_not_stop_the_others(stored, record, field, value):
    # Given an entry in the store, of which somebody has changed a field
    messages = record(stored.app)
    stored.put("good", {"task": "good", "schedule": 60})
    stored.put("wrong", {"task": "wrong", "schedule": 60})
    known = stored.read(["wrong"])["wrong"]
    stored.put_all({"wrong": known._replace(fields={**known.fields, field: value})})
    with closing(StoreScheduler(stored.app)) as leader:
        leader.tick()
        for entry in leader.schedule.values():
            entry.last_run_at -= timedelta(seconds=60)
        leader.populate_heap()
        leader.tick()
        assert "good" in [message.headers["task"] for message in messages]


def test_a_store_that_is_away_is_waited_for_and_told_of_once(stored, record, caplog, monkeypatch):
    messages = record(stored.app)
    stored.put("often", {"task": "t", "schedule": 0.05})
    caplog.set_level("WARNING")

    def away(*_):
        raise StoreUnavailable("the result store is out of reach")

    with closing(StoreScheduler(stored.app)) as beat:
        # Given a store that is away when beat starts
        with monkeypatch.context() as patch:
            for operation in ("get_values", "set_values", "listen", "acquire_lock"):
                patch.setattr(stored.store, operation, away)
            for _ in range(3):
                beat.wait(min(beat.tick(), 0.01))
        assert [each.getMessage() for each in caplog.records] == [
            "beat: the store of schedules is out of reach, trying again: the result store is out of reach"
        ]
        assert beat.faults() == ["the store of schedules is out of reach: the result store is out of reach"]
        assert not beat.leads
        # When it is there, then beat goes on
        beat.tick()
        beat.wait(0.1)
        beat.tick()
        assert "in reach again" in caplog.text
        assert (beat.faults(), beat.leads) == ([], True)
        assert messages
        # And when it has gone again as beat ends, that is said
        monkeypatch.setattr(stored.store, "release_lock", away)
    assert "another beat leads only when the lease of this one is over" in caplog.text
