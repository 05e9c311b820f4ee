"""Connections to the broker that break while tasks run: the worker comes back by itself, and no task runs twice."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pytest
from strained.proxy import Proxy

pytestmark = pytest.mark.slow


@pytest.fixture
def line(strain):
    """The line between workers and their broker."""
    proxy = Proxy(strain.place.broker.url)
    strain.settings["broker_url"] = proxy.url
    yield proxy
    proxy.close()


@pytest.mark.covers("settings.broker_connection_retry")
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
@pytest.mark.parametrize("place", ["redis", "rabbitmq"], indirect=True)
def test_running_tasks_go_on_when_the_connection_breaks_and_are_settled_on_the_next(strain, line, pool):
    # Given a worker that runs a task of each kind (one after the other where it can run one at a time)
    strain.pool = pool
    strain.ready_worker()
    strain.send_late(1.5)
    strain.send_early(1.5)
    strain.wait_until(lambda: strain.begun() == (1 if pool == "solo" else 2), message="they run")

    # When its connections are cut, and then again
    assert line.cut()
    strain.send(20)
    strain.wait_until(lambda: strain.begun() > 5, 20, "it consumes again")
    assert line.cut()
    strain.send(20)

    # Then the same worker runs what has come meanwhile; each task ran once, and nothing is left on the broker
    strain.finish()
    strain.assert_late_succeeded()
    assert strain.assert_early_ran_at_most_once() == []
    assert set(strain.runs("begin").values()) == {1}


@contextmanager
def heard_by(strain):
    """The events that are told of tasks from now on, as they come."""
    events, is_ready, is_over = [], threading.Event(), threading.Event()

    class Receiver(strain.app.events.Receiver):
        def on_consume_ready(self, *_args, **_kwargs):
            is_ready.set()

        def process(self, _type, event):
            events.append(event)

    def listen():
        with strain.app.connection_for_read() as connection:
            for _ in Receiver(connection).itercapture():
                if is_over.is_set():
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    strain.wait_until(is_ready.is_set)
    yield events
    is_over.set()
    with strain.app.events.default_dispatcher("end@host") as dispatcher:
        dispatcher.send("worker-farewell")
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.covers("settings.worker_cancel_long_running_tasks_on_connection_loss")
@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("place", ["rabbitmq"], indirect=True)
def test_late_acked_tasks_are_ended_where_the_setting_asks_for_that_and_their_messages_come_again(strain, line, pool):
    # Given a worker that runs a task of each kind, and somebody who watches
    strain.pool = pool
    strain.settings["worker_cancel_long_running_tasks_on_connection_loss"] = True
    strain.ready_worker("-E")
    late, early = strain.send_late(1.5), strain.send_early(1.5)
    strain.wait_until(lambda: strain.begun() == 2, message="they run")
    with heard_by(strain) as heard:
        # When the connection is cut
        assert line.cut()

        # Then the one whose message comes again has run again, with no other result than its own; the other has not
        strain.wait_for_results()
        strain.wait_until(lambda: [event for event in heard if event["type"] == "task-succeeded"], message="it is told")
    assert (strain.runs("begin")[late], strain.runs("end")[late]) == (2, 1)
    assert (strain.runs("begin")[early], strain.runs("end")[early]) == (1, 1)
    assert strain.results()[late]["status"] == "SUCCESS"
    told = [event["type"] for event in heard if event.get("uuid") == late]
    assert told.count("task-cancelled") == told.count("task-succeeded") == 1
    assert "task-revoked" not in told
    strain.finish()
