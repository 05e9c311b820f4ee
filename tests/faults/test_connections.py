"""Connections to the broker that break while tasks run: the worker comes back by itself, and no task runs twice."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import pytest
from strained.deaths import kill_a_child, kill_the_worker
from strained.measure import LIMIT, LONGEST, TASKS_OF_MANY_CUTS

from celeriac.testing.conformance.proxy import through

pytestmark = pytest.mark.slow

#: Seconds between two cuts.
PAUSE = 0.5


@pytest.fixture
def line(strain):
    """The line between workers and their broker."""
    proxy, url = through(strain.place.broker.url, 5672)
    strain.settings["broker_url"] = url
    yield proxy
    proxy.close()


@pytest.fixture
def store_line(strain):
    """The line between workers and the store of their results."""
    proxy, url = through(strain.place.store.url, 6379)
    strain.settings["result_backend"] = url
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


class Every:
    """Called often, lets something fail when it is time again, and counts how often that was."""

    def __init__(self, seconds, fail):
        self._seconds, self._fail = seconds, fail
        self._monotonic_last = time.monotonic()
        self.count = 0

    def __call__(self):
        if time.monotonic() - self._monotonic_last >= self._seconds and self._fail():
            self.count += 1
            self._monotonic_last = time.monotonic()


def run_meanwhile(strain, failing):
    """Send many tasks and wait for their results, while something fails."""
    for _ in range(TASKS_OF_MANY_CUTS // 20):
        strain.send(20, longest=LONGEST)
        failing()
    strain.wait_for_results(meanwhile=failing)


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("place", ["redis", "rabbitmq"], indirect=True)
def test_tasks_outlive_lines_that_are_cut_twice_a_second(strain, line, store_line):
    # Given a worker whose lines to its broker and its store do not last
    strain.ready_worker()

    def cut():
        reset = strain.chance.random() < 0.5
        return line.cut(reset=reset) + store_line.cut(reset=reset)

    # When many tasks have to be run on these
    cuts = Every(PAUSE, cut)
    run_meanwhile(strain, cuts)

    # Then each has run to its end, once
    strain.finish()
    print(f"{cuts.count} cuts")
    assert cuts.count > 1
    strain.assert_late_succeeded()
    strain.assert_nothing_was_raised()
    assert strain.assert_early_ran_at_most_once() == []
    assert set(strain.runs("begin").values()) == {1}


@pytest.mark.timeout(LIMIT)
def test_tasks_outlive_processes_that_are_killed_twice_a_second(strain):
    # Given a worker, and no line that could be cut
    strain.start_worker()
    seen = 0

    def kill():
        nonlocal seen
        if strain.begun() == seen:
            return False
        if strain.chance.random() < 0.8:
            kill_a_child(strain)
        else:
            kill_the_worker(strain)
        seen = strain.begun()
        return True

    # When one of its processes is killed as soon as it works again
    kills = Every(PAUSE, kill)
    run_meanwhile(strain, kills)

    # Then every task has an outcome, and none that was acked early ran twice
    strain.finish()
    print(f"{kills.count} kills")
    assert kills.count > 1
    strain.assert_late_succeeded()
    strain.assert_nothing_was_raised()
    assert set(strain.early) & strain.cut_short() <= set(strain.assert_early_ran_at_most_once())


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
