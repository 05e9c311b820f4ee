"""Events about messages that were published."""

from __future__ import annotations

import pytest
from kombu.exceptions import OperationalError

from celeriac import group
from celeriac.protocol.origin import origin


@pytest.mark.covers("settings.task_send_sent_event")
def test_whoever_sends_a_task_tells_that(make_app, listen, wait_until):
    app = make_app(task_send_sent_event=True)
    with listen(app, "task.#") as heard:
        sent = app.send_task("add", (1, 2), {"z": 3}, queue="far", root_id="r", parent_id="p", retries=2, expires=60)
        wait_until(lambda: heard)
    [(routing_key, [event])] = heard
    assert routing_key == "task.sent"
    assert event["hostname"] == origin()
    told = {
        "uuid": sent.id,
        "name": "add",
        "args": "(1, 2)",
        "kwargs": "{'z': 3}",
        "root_id": "r",
        "parent_id": "p",
        "retries": 2,
        "eta": None,
        "queue": "far",
        "exchange": "",
        "routing_key": "far",
    }
    assert told.items() <= event.items()
    assert event["expires"].endswith("+00:00")


def test_of_many_that_are_sent_together_one_message_tells(make_app, listen, wait_until):
    app = make_app(task_send_sent_event=True)
    add = app.task(name="add")(lambda x, y: x + y)
    with listen(app, "task.#") as heard:
        results = group(add.s(1, number) for number in range(10)).apply_async()
        wait_until(lambda: sum(len(events) for _, events in heard) == 10)
    assert [event["uuid"] for _, events in heard for event in events] == [result.id for result in results]
    assert len(heard) == 1


def test_nobody_is_told_unless_that_is_asked_for(app, monkeypatch):
    monkeypatch.setattr(type(app.events), "default_dispatcher", None)
    assert app.send_task("add", (1, 2)).id


def test_a_task_that_was_sent_stays_so_whether_that_is_told_or_not(make_app, claim, monkeypatch, caplog):
    app = make_app(task_send_sent_event=True)

    def away(self, *args):
        raise OperationalError("away")

    monkeypatch.setattr(app.events.Dispatcher, "_say", away)
    sent = app.send_task("add", (1, 2))
    assert [delivery.headers["id"] for delivery in claim(app)] == [sent.id]
    assert "1 tasks were sent, which could not be told: away" in caplog.text


def test_a_task_sends_events_of_its_own(make_app, listen, start_worker, wait_until):
    app = make_app()

    @app.task(name="progress", bind=True)
    def progress(self):
        self.send_event("task-progress", percent=50)

    with listen(app, "task.progress") as heard:
        start_worker(app, hostname="w@host")
        sent = progress.delay()
        wait_until(lambda: heard)
    [(_, [event])] = heard
    assert (event["uuid"], event["percent"], event["type"]) == (sent.id, 50, "task-progress")
