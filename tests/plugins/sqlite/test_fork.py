"""A child never touches what its parent opened, and its end harms nobody."""

from __future__ import annotations

import os
import sys
import traceback

import pytest

from celeriac.contracts import Settlements, StoredResult
from celeriac_sqlite.backend import SqliteBackend
from celeriac_sqlite.errors import StorageError


def in_child(run, *, ends_as_interpreter=False):
    """Run it in a forked child and return the child's exit code."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            run()
            code = 0
        except BaseException:  # noqa: BLE001  # a child of a test must not go on as pytest
            traceback.print_exc()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_inherited_lanes_refuse_and_close_without_harm(producer, consume, message, bodies, path):
    lane = consume()
    producer.publish([message("1"), message("2")])
    first = lane.claim(1)
    log = path.with_name("queue.db-wal")

    def child():
        with pytest.raises(StorageError, match="opened by the process that this one was forked from"):
            producer.publish([message("3")])
        with pytest.raises(StorageError, match="forked"):
            lane.claim(1)
        producer.close()
        lane.close()

    assert in_child(child) == 0
    assert log.exists()
    assert bodies(lane.claim(5)) == ["2"]
    lane.settle(Settlements(ack=[first[0].tag]))
    producer.publish([message("4")])
    assert bodies(lane.claim(5)) == ["4"]


def test_a_child_that_ends_through_the_interpreter_leaves_the_log_alone(spawn, path, query):
    script = f"""
import os, sys
from kombu import Connection
from celeriac_sqlite.broker import SqliteTransport
sys.path.insert(0, {os.path.dirname(__file__)!r})
from party import message
lane = SqliteTransport.producer_lane(Connection({"sqlite:///" + str(path)!r}, transport=SqliteTransport))
lane.publish([message(b"1")])
if not os.fork():
    sys.exit(0)
print("child ended with", os.wait()[1])
lane.publish([message(b"2")])
assert os.path.exists({str(path)!r} + "-wal")
"""
    spawned = spawn(sys.executable, "-c", script)
    assert spawned.wait() == 0
    assert spawned.output().strip() == "child ended with 0"
    assert query("PRAGMA integrity_check") == [("ok",)]
    assert query("SELECT count(*) FROM ready") == [(2,)]


def test_a_child_opens_connections_of_its_own(producer, message, connect, tables):
    from celeriac_sqlite.broker import SqliteTransport

    producer.publish([message("parent")])
    connection = connect()

    def child():
        lane = SqliteTransport.producer_lane(connection)
        lane.publish([message("child")])
        lane.close()

    assert in_child(child) == 0
    assert tables().message == 2


def test_a_backend_works_on_after_a_fork(app, url):
    backend = SqliteBackend(app, url)
    backend.store([StoredResult("parent", "SUCCESS", {"task_id": "parent"})])
    watcher = backend.watch()
    watcher.add(["child"])

    def child():
        backend.after_fork()
        assert set(backend.fetch(["parent"])) == {"parent"}
        backend.store([StoredResult("child", "SUCCESS", {"task_id": "child"})])
        watcher.close()

    assert in_child(child) == 0
    assert watcher.wait(5) == [{"task_id": "child"}]
    assert set(backend.fetch(["parent", "child"])) == {"parent", "child"}
    watcher.close()
    backend.close()


def test_who_lets_go_of_a_connection_early_in_a_child_does_not_close_it(spawn, path):
    # Given an app whose store is loaded after the app itself has asked to be told of forks
    script = f"""
import os, sys
from celeriac import Celery
app = Celery("t", backend={"sqlite:///" + str(path)!r})
app.results.store_state("parent", "SUCCESS", 1)
watcher = app.backend.watch()
connection = app.backend._database._connection
listeners = len(os.listdir({str(path)!r} + ".wake"))
if not os.fork():
    # Then in a child, which may have been forked while another thread was using it, the connection is as it was
    connection.execute("SELECT 1")
    os._exit(0)
print(os.wait()[1], app.results.fetch(["parent"])["parent"]["result"])
assert len(os.listdir({str(path)!r} + ".wake")) == listeners == 1
"""
    spawned = spawn(sys.executable, "-c", script)
    assert spawned.wait() == 0, spawned.output()
    assert spawned.output().split() == ["0", "1"]


def test_a_connection_of_kombu_can_be_dropped_in_a_child(connect):
    connection = connect()
    queue = connection.SimpleQueue("simple")
    queue.put("1")

    assert in_child(connection.collect) == 0
    assert queue.get(timeout=5).payload == "1"
    queue.close()
