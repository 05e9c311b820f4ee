"""A cluster: all keys of a broker or a store are together, wherever they are, and followed when they move."""

from __future__ import annotations

import sys
import threading

import pytest
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from nodes.ports import free_port
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from celeriac import Celery, chord
from celeriac.contracts import Settlements
from celeriac.exceptions import ImproperlyConfigured
from celeriac.testing.conformance import (
    BackendHarness,
    BackendSuite,
    BrokerHarness,
    BrokerSuite,
    Level,
    VerdictKind,
    run,
)
from celeriac_redis.broker import RedisTransport
from celeriac_redis.servers import tagged

SLOT = key_slot(b"{celeriac}")
RANGES = ((0, 5460), (5461, 10922), (10923, 16383))

TASKS = """
import os
from celeriac import Celery

app = Celery("proj", broker=os.environ["URL"], backend=os.environ["URL"], broker_transport_options={"lease": 2})

@app.task(acks_late=True)
def note(number):
    with open("journal", "a") as journal:
        journal.write(f"{number}\\n")
    return number

@app.task
def total(numbers):
    return sum(numbers)
"""


class Cluster:
    """Three primaries, and a replica of the one that has our slot."""

    def __init__(self, spawn, directory, wait_until):
        self.ports, self.servers, buses = [free_port() for _ in range(4)], {}, [free_port() for _ in range(4)]
        self.clients = {port: Redis(port=port, socket_timeout=5) for port in self.ports}
        for port, bus in zip(self.ports, buses, strict=True):
            (directory / str(port)).mkdir()
            self.servers[port] = spawn(
                *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes"),
                *("--cluster-port", str(bus), "--cluster-node-timeout", "1500", "--dir", directory / str(port)),
                *("--repl-diskless-sync-delay", "0"),
            )
        for port in self.ports:
            wait_until(lambda port=port: self.answers(port), 20, "the node answers")
        self.ids = {port: self.ask(port, "CLUSTER", "MYID").decode() for port in self.ports}
        first = self.ports[0]
        for number, port in enumerate(self.ports):
            self.ask(port, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if port != first:
                self.ask(port, "CLUSTER", "MEET", "127.0.0.1", first, buses[0])
        for port, (start, end) in zip(self.ports[:3], RANGES, strict=True):
            self.ask(port, "CLUSTER", "ADDSLOTSRANGE", start, end)
        wait_until(lambda: all(self.is_whole(port) for port in self.ports), 30, "the nodes know each other")
        self.owner = self.ports[next(number for number, (start, end) in enumerate(RANGES) if start <= SLOT <= end)]
        self.other = next(port for port in self.ports[:3] if port != self.owner)
        self.replica = self.ports[3]
        self.ask(self.replica, "CLUSTER", "REPLICATE", self.ids[self.owner])
        wait_until(lambda: self.ask(self.owner, "WAIT", 1, 1000) == 1, 20, "the replica follows")

    def ask(self, port, *command):
        # One string: for a command of two words redis-py would take the answer apart.
        return self.clients[port].execute_command(*command, NEVER_DECODE=True)

    def answers(self, port):
        try:
            return self.ask(port, "PING")
        except RedisError:
            return False

    def is_whole(self, port):
        info = self.ask(port, "CLUSTER", "INFO").decode()
        return "cluster_state:ok" in info and "cluster_known_nodes:4" in info

    def move_slot(self):
        """Move our slot to another node while it is used, as `redis-cli --cluster reshard` does."""
        source, target = self.owner, self.other
        self.ask(target, "CLUSTER", "SETSLOT", SLOT, "IMPORTING", self.ids[source])
        self.ask(source, "CLUSTER", "SETSLOT", SLOT, "MIGRATING", self.ids[target])
        while keys := self.ask(source, "CLUSTER", "GETKEYSINSLOT", SLOT, 3):
            self.ask(source, "MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", *keys)
        for port in (target, source, *[port for port in self.ports[:3] if port not in (source, target)]):
            self.ask(port, "CLUSTER", "SETSLOT", SLOT, "NODE", self.ids[target])
        self.owner, self.other = target, source

    @property
    def url(self):
        return ";".join(f"redis+cluster://127.0.0.1:{port}" for port in self.ports[:2])

    def close(self):
        for client in self.clients.values():
            client.close()


@pytest.fixture
def cluster(spawn, tmp_path, redis_url, wait_until):
    cluster = Cluster(spawn, tmp_path, wait_until)
    yield cluster
    cluster.close()


@pytest.fixture
def app(cluster):
    app = Celery("proj", set_as_current=False, broker=cluster.url, result_backend=cluster.url)
    yield app
    app.close()


@pytest.fixture
def worker(cluster, spawn, tmp_path):
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "journal").touch()
    worker = spawn(
        *(sys.executable, "-m", "celeriac", "-A", "tasks", "worker", "-l", "INFO", "-c", "2"),
        env={"URL": cluster.url},
        cwd=tmp_path,
    )
    worker.wait_for_output("ready", 30)
    return worker


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_workers_live_through_a_slot_that_moves_and_a_node_that_dies(cluster, app, worker, tmp_path, wait_until):
    def note(number):
        return app.signature("tasks.note", (number,))

    assert chord([note(1), note(2), note(3)], app.signature("tasks.total"), app=app).delay().get(timeout=30) == 6

    def send(number):
        try:
            note(number).apply_async(ignore_result=True)
        except OperationalError:
            return False
        return True

    def all_sent(numbers):
        for number in numbers:
            wait_until(lambda number=number: send(number), 40, "the cluster takes messages")

    mover = threading.Thread(target=cluster.move_slot)
    all_sent(range(10, 100))
    mover.start()
    all_sent(range(100, 200))
    mover.join()
    all_sent(range(200, 250))
    journal = tmp_path / "journal"

    def noted(numbers):
        wanted = set(map(str, numbers))
        wait_until(lambda: wanted <= set(journal.read_text().split()), 40, "every task has run")

    noted(range(10, 250))
    assert note(7).delay().get(timeout=20) == 7
    assert worker.poll() is None


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_workers_live_through_the_death_of_the_node_that_has_their_keys(cluster, app, worker, tmp_path, wait_until):
    def send(number):
        try:
            app.send_task("tasks.note", (number,), ignore_result=True)
        except OperationalError:
            return False
        return True

    for number in range(200):
        assert send(number)
    assert cluster.ask(cluster.owner, "WAIT", 1, 5000) == 1  # what the replica has not got, Redis itself loses
    cluster.servers[cluster.owner].kill()
    for number in range(200, 300):
        wait_until(lambda number=number: send(number), 60, "the replica takes the place of its primary")
    wanted = {str(number) for number in range(300)}
    journal = tmp_path / "journal"
    wait_until(lambda: wanted <= set(journal.read_text().split()), 40, "every task has run")
    assert app.send_task("tasks.note", (7,)).get(timeout=20) == 7
    assert worker.poll() is None


@pytest.mark.slow
def test_an_open_lane_follows_its_keys_and_is_told_of_arrivals(cluster, app, message, loop):
    producer = RedisTransport.producer_lane(app.connection_for_write())
    lane = RedisTransport.consumer_lane(app.connection_for_read())
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    producer.publish([message(str(number)) for number in range(10)])
    first = lane.claim(5)
    cluster.move_slot()
    second = lane.turn(Settlements(ack=[each.tag for each in first]), 10)
    assert [each.body for each in (*first, *second)] == [str(number).encode() for number in range(10)]
    assert lane.turn(Settlements(ack=[each.tag for each in second]), 10) == []
    loop.calm()
    rung = loop.calls
    producer.publish([message("10")])
    loop.turn_until(lambda: loop.calls > rung)
    assert [each.body for each in lane.claim(5)] == [b"10"]
    keys = [key for port in cluster.ports[:3] for key in cluster.ask(port, "KEYS", "*")]
    assert keys
    assert all(key.startswith(b"{celeriac}") for key in keys)
    lane.close()
    producer.close()
    with app.connection_for_write() as plain, plain.SimpleQueue("simple") as queue:
        queue.put({"a": 1})
        got = queue.get(timeout=5)
        got.ack()
        assert got.payload == {"a": 1}


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("suite", "harness"), [(BrokerSuite, BrokerHarness), (BackendSuite, BackendHarness)])
def test_a_cluster_does_what_every_broker_and_store_must_do(cluster, suite, harness):
    case = type("Case", (suite,), {"make_harness": lambda _: harness(cluster.url)})
    verdicts = list(run(case, Level.OPTIONAL))  # what waits for leases to run out is tried where they are short
    assert [verdict for verdict in verdicts if verdict.kind is VerdictKind.FAILED] == []
    assert sum(verdict.kind is VerdictKind.PASSED for verdict in verdicts) > 25


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("", "{celeriac}"), ("app:", "{app:}"), ("{one}two", "{one}two"), ("{}x", "{{}x}"), ("a{b}c", "a{b}c")],
)
def test_a_prefix_becomes_the_tag_of_all_keys(prefix, expected):
    assert tagged(prefix) == expected
    assert key_slot(f"{expected}unacked".encode()) == key_slot(f"{expected}celery-task-meta-1".encode())


def test_a_cluster_has_no_databases():
    with pytest.raises(ImproperlyConfigured, match="databases"):
        RedisTransport.producer_lane(Connection("redis+cluster://localhost:1/3", transport=RedisTransport))


def test_a_list_names_one_kind_of_server():
    with pytest.raises(ImproperlyConfigured, match="one list"):
        RedisTransport.producer_lane(
            Connection("redis+cluster://localhost:1;redis://localhost:2", transport=RedisTransport)
        )
