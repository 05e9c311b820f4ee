"""What a worker tells of itself and of its tasks; the worker is a real one, without a pool, on a broker in memory."""

from __future__ import annotations

import os
import platform
import time

import pytest

from celeriac import signals
from celeriac.events.state import State
from celeriac.exceptions import Ignore, Reject


@pytest.fixture
def tasks(app):
    """The tasks of these tests, by the way in which they end."""

    @app.task(name="add")
    def add(x, y):
        return x + y

    @app.task(name="fail")
    def fail():
        raise ValueError("no")

    @app.task(name="again", bind=True, max_retries=1, default_retry_delay=0)
    def again(self):
        raise self.retry(exc=KeyError("x"))

    @app.task(name="refuse")
    def refuse():
        raise Reject("no")

    @app.task(name="ignore")
    def ignore():
        raise Ignore

    @app.task(name="quiet", send_events=False)
    def quiet():
        return 1

    return app.tasks


@pytest.mark.covers("settings.worker_send_task_events")
def test_a_task_is_told_of_from_its_arrival_to_its_end(make_app, listen, start_worker, wait_until):
    app = make_app(worker_send_task_events=True)
    add = app.task(name="add")(lambda x, y: x + y)
    with listen(app, "task.#") as heard:
        start_worker(app, hostname="w@host")
        before = time.time()
        result = add.apply_async((1, 2), shadow="plus", root_id="root", parent_id="parent")
        wait_until(lambda: sum(len(events) for _, events in heard) == 3)
    events = [event for _, events in heard for event in events]
    received, started, succeeded = events
    assert {routing_key for routing_key, _ in heard} == {"task.multi"}
    own = {"hostname", "utcoffset", "pid", "clock", "timestamp", "local_received", "type"}
    assert {key: received[key] for key in received.keys() - own} == {
        "uuid": result.id,
        "name": "plus",
        "args": "(1, 2)",
        "kwargs": "{}",
        "root_id": "root",
        "parent_id": "parent",
        "retries": 0,
        "eta": None,
        "expires": None,
    }
    assert started["type"] == "task-started"
    assert started.keys() == own | {"uuid"}
    assert succeeded["type"] == "task-succeeded"
    assert succeeded["result"] == "3"
    assert 0 < succeeded["runtime"] < 10
    assert succeeded.keys() == own | {"uuid", "result", "runtime"}
    assert all(event["hostname"] == "w@host" for event in events)
    assert all(event["pid"] == os.getpid() for event in events)
    assert all(before - 1 < event["timestamp"] < time.time() + 1 for event in events)
    assert received["clock"] < started["clock"] < succeeded["clock"]


@pytest.mark.covers("app.task.Task.send_events")
@pytest.mark.parametrize(
    ("name", "options", "types", "fields"),
    [
        ("fail", {}, ["received", "started", "failed"], {"exception": "ValueError('no')"}),
        ("refuse", {}, ["received", "started", "rejected"], {"requeue": False}),
        ("ignore", {}, ["received", "started"], {}),
        ("add", {"expires": -1}, ["revoked"], {"expired": True, "terminated": False, "signum": None}),
        ("nobodys", {}, ["failed"], {"traceback": None}),
        ("quiet", {}, [], {}),
        (
            "again",
            {},
            ["received", "started", "retried", "received", "started", "failed"],
            {"exception": "KeyError('x')"},
        ),
    ],
)
def test_each_end_has_its_event(app, tasks, listen, start_worker, wait_until, name, options, types, fields):
    with listen(app, "task.#") as heard:
        start_worker(app, task_events=True)
        sent = app.send_task(name, **options)
        last = app.send_task("add", (1, 1))

        def of(uuid):
            return [event for _, events in heard for event in events if event.get("uuid") == uuid]

        wait_until(lambda: len(of(sent.id)) == len(types) and len(of(last.id)) == 3)
    assert [event["type"] for event in of(sent.id)] == [f"task-{kind}" for kind in types]
    if types:
        assert fields.items() <= of(sent.id)[-1].items()
    if name in {"fail", "again"}:
        assert "Traceback (most recent call last)" in of(sent.id)[-1]["traceback"]
    if name == "again":
        assert of(sent.id)[3]["retries"] == 1


@pytest.mark.covers("signals.heartbeat_sent")
def test_a_worker_says_that_it_is_there_every_so_often_and_when_it_goes(app, listen, start_worker, wait_until):
    beats = []
    signals.heartbeat_sent.connect(lambda sender, **_: beats.append(sender), weak=False, dispatch_uid="told")
    try:
        with listen(app, "worker.#") as heard:
            worker = start_worker(app, hostname="w@host", heartbeat_interval=0.05)
            add = app.task(name="add")(lambda: None)
            add.delay().get(timeout=10)
            wait_until(lambda: any(event["processed"] == 1 for _, [event] in heard))
            worker.stop()
            wait_until(lambda: heard[-1][0] == "worker.offline")
    finally:
        signals.heartbeat_sent.disconnect(dispatch_uid="told")
    events = [event for _, [event] in heard]
    assert events[0]["type"] == "worker-online"
    assert {event["type"] for event in events[1:-1]} == {"worker-heartbeat"}
    for event in events:
        assert event["freq"] == 0.05
        assert event["active"] == 0
        assert len(event["loadavg"]) == 3
        assert event["sw_ident"] == "py-celery"
        assert event["sw_sys"] == platform.system()
        assert event["sw_ver"]
    assert len(beats) >= len(events)


def test_without_heartbeats_a_worker_says_nothing_of_itself(app, tasks, listen, start_worker, wait_until):
    with listen(app) as heard:
        start_worker(app, without_heartbeat=True, without_gossip=True, task_events=True)
        app.send_task("add", (1, 1))
        wait_until(lambda: sum(len(events) for _, events in heard) == 3)
    assert {routing_key for routing_key, _ in heard} == {"task.multi"}


def test_tasks_are_told_of_from_when_somebody_asks_until_nobody_does(app, tasks, listen, start_worker, wait_until):
    # Given a worker that tells of itself only
    with listen(app, "task.#") as heard:
        worker = start_worker(app)
        dispatcher = worker.consumer.event_dispatcher
        app.send_task("add", (1, 1)).get(timeout=10)
        # When its tasks are asked for
        assert dispatcher.enable("task")
        first = app.send_task("add", (1, 1))
        wait_until(lambda: sum(len(events) for _, events in heard) == 3)
        # And no more
        assert dispatcher.disable("task")
        app.send_task("add", (1, 1)).get(timeout=10)
        assert dispatcher.enable("task")
        last = app.send_task("add", (1, 1))
        wait_until(lambda: sum(len(events) for _, events in heard) == 6)
    # Then it has told of these, and of their starts, of which the pool did not tell
    told = [(event["uuid"], event["type"]) for _, events in heard for event in events]
    kinds = ["task-received", "task-started", "task-succeeded"]
    assert told == [(result.id, kind) for result in (first, last) for kind in kinds]


def test_the_state_of_the_cluster_is_gathered_from_what_workers_tell(app, tasks, listen, start_worker, wait_until):
    state = State()
    with listen(app) as heard:
        start_worker(app, hostname="w@host", task_events=True)
        results = [app.send_task("add", (1, number)) for number in range(20)]
        wait_until(lambda: sum(len(events) for _, events in heard if events[0]["type"].startswith("task")) == 60)
    for _, events in heard:
        for event in events:
            state.event(event)
    assert state.workers["w@host"].alive
    assert {uuid for uuid, _ in state.tasks_by_worker("w@host")} == {result.id for result in results}
    assert {task.state for _, task in state.itertasks()} == {"SUCCESS"}
    assert [task.result for _, task in state.tasks_by_type("add", reverse=False)] == [str(1 + n) for n in range(20)]


def test_a_transport_that_reaches_one_receiver_only_leaves_events_off_with_a_line(
    app, tasks, start_worker, monkeypatch, caplog
):
    monkeypatch.setattr("celeriac.events.dispatcher.can_fan_out", lambda connection: False)
    caplog.set_level("INFO")
    worker = start_worker(app, task_events=True)
    assert worker.consumer.event_dispatcher is None
    assert app.send_task("add", (1, 1)).get(timeout=10) == 2
    lines = [record.message for record in caplog.records if record.name == "celeriac.worker.events"]
    assert lines == ["The transport memory reaches one receiver only: no events, no gossip"]
