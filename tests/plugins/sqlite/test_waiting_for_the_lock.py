"""Whoever finds the file locked waits for a turn, and not for ever."""

from __future__ import annotations

import threading
import time

import pytest
from kombu.exceptions import OperationalError

from celeriac_sqlite.broker import SqliteTransport
from celeriac_sqlite.errors import StorageBusy


def test_a_short_lock_is_waited_for(producer, message, party, tables):
    holder = party("lock", 0.5)
    holder.wait_for_output("locked")
    producer.publish([message()])
    assert tables().message == 1


def test_a_lock_that_stays_is_an_error_that_names_the_file_and_the_setting(party, connect, message, path):
    lane = SqliteTransport.producer_lane(connect(busy_timeout=0.2))
    holder = party("lock", 30)
    holder.wait_for_output("locked")
    started = time.monotonic()
    with pytest.raises(
        StorageBusy, match=f"{path} was locked by other processes for 0.2 s.*sqlite_busy_timeout"
    ) as caught:
        lane.publish([message()])
    assert 0.2 <= time.monotonic() - started < 5
    assert isinstance(caught.value, OperationalError)
    lane.close()


def test_reading_needs_no_lock(party, consume, producer):
    lane = consume()
    holder = party("lock", 30)
    holder.wait_for_output("locked")
    assert lane.claim(5) == []
    assert lane.depth("tasks") == 0
    holder.kill()


def test_eight_threads_publish_through_lanes_of_their_own(connect, message, query):
    errors = []

    def publish():
        try:
            lane = SqliteTransport.producer_lane(connect())
            for _ in range(50):
                lane.publish([message(), message()])
            lane.close()
        except Exception as error:  # noqa: BLE001  # shown by the assertion
            errors.append(error)

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert query("SELECT count(*), count(DISTINCT id) FROM ready") == [(800, 800)]


def test_many_processes_may_make_the_file_at_once(spawn, path, party, query):
    everyone = [party("store_some", f"task-{number}") for number in range(4)]
    assert [one.wait() for one in everyone] == [0] * 4
    assert query("SELECT count(*) FROM result") == [(4,)]
