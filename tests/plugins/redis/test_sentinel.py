"""A primary with a replica, watched by Sentinels: found by name, and found again when another takes its place."""

from __future__ import annotations

import json
import sys
from contextlib import closing

import pytest
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from nodes.ports import free_port
from redis import Redis
from redis.exceptions import RedisError

from celeriac import Celery
from celeriac.contracts import Settlements
from celeriac.exceptions import ImproperlyConfigured
from celeriac_redis.broker import RedisTransport

pytestmark = pytest.mark.slow

MASTER = "primary"
PASSWORD = "sesame"

TASKS = """
import json, os
from celeriac import Celery

options = json.loads(os.environ["OPTIONS"])
app = Celery("proj", broker=os.environ["URL"], backend=os.environ["URL"])
app.conf.update(broker_transport_options=options, result_backend_transport_options=options)

@app.task(acks_late=True)
def note(number):
    with open("journal", "a") as journal:
        journal.write(f"{number}\\n")
    return number
"""


class Replicated:
    """One primary, one replica, three Sentinels; all want a password."""

    def __init__(self, spawn, directory, wait_until):
        self.ports = [free_port(), free_port()]
        self.sentinel_ports = [free_port() for _ in range(3)]
        self.servers = {}
        for port in self.ports:
            (directory / str(port)).mkdir()
            replica = [] if port == self.ports[0] else ["--replicaof", f"127.0.0.1 {self.ports[0]}"]
            self.servers[port] = spawn(
                *(
                    "redis-server",
                    "--port",
                    str(port),
                    "--bind",
                    "127.0.0.1",
                    "--save",
                    "",
                    "--repl-diskless-sync-delay",
                ),
                *("0", "--dir", directory / str(port), "--requirepass", PASSWORD, "--masterauth", PASSWORD, *replica),
            )
        wait_until(lambda: self.replicas_of(self.ports[0]) == 1, 20, "the replica follows")
        for port in self.sentinel_ports:
            configuration = directory / f"sentinel-{port}.conf"
            configuration.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {directory}\nrequirepass {PASSWORD}\n"
                f"sentinel sentinel-pass {PASSWORD}\n"
                f"sentinel monitor {MASTER} 127.0.0.1 {self.ports[0]} 2\nsentinel auth-pass {MASTER} {PASSWORD}\n"
                f"sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 6000\n"
            )
            spawn("redis-server", configuration, "--sentinel")
        wait_until(self.agreed, 30, "the Sentinels know each other and the replica")

    def client(self, port):
        return Redis(port=port, password=PASSWORD, socket_timeout=5)

    def replicas_of(self, port):
        try:
            with closing(self.client(port)) as client:
                return client.info("replication")["connected_slaves"]
        except RedisError:
            return None

    def agreed(self):
        for port in self.sentinel_ports:
            try:
                with closing(self.client(port)) as client:
                    state = client.sentinel_master(MASTER)
            except RedisError:
                return False
            if state["num-other-sentinels"] < 2 or state["num-slaves"] < 1:
                return False
        return True

    def primary(self):
        with closing(self.client(self.sentinel_ports[1])) as client:
            return client.sentinel_get_master_addr_by_name(MASTER)[1]

    @property
    def url(self):
        return ";".join(f"sentinel://:{PASSWORD}@127.0.0.1:{port}/0" for port in self.sentinel_ports)

    @property
    def options(self):
        return {"master_name": MASTER, "sentinel_kwargs": {"password": PASSWORD}, "lease": 2}


@pytest.fixture
def replicated(spawn, tmp_path, redis_url, wait_until):
    return Replicated(spawn, tmp_path, wait_until)


@pytest.fixture
def app(replicated):
    app = Celery("proj", set_as_current=False, broker=replicated.url, result_backend=replicated.url)
    app.conf.update(broker_transport_options=replicated.options, result_backend_transport_options=replicated.options)
    yield app
    app.close()


@pytest.mark.covers("transports.sentinel", "backends.sentinel")
@pytest.mark.timeout(120)
def test_no_message_is_lost_and_work_goes_on_when_the_primary_dies_under_load(
    replicated, app, spawn, tmp_path, wait_until
):
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "journal").touch()
    worker = spawn(
        *(sys.executable, "-m", "celeriac", "-A", "tasks", "worker", "-l", "INFO", "-c", "2"),
        env={"URL": replicated.url, "OPTIONS": json.dumps(replicated.options)},
        cwd=tmp_path,
    )
    worker.wait_for_output("ready", 30)
    assert app.send_task("tasks.note", (-1,)).get(timeout=20) == -1

    def send(number):
        try:
            app.send_task("tasks.note", (number,), ignore_result=True)
        except OperationalError:  # told to whoever sends: never silence
            return False
        return True

    before = replicated.primary()
    for number in range(300):
        assert send(number)
    with closing(replicated.client(before)) as client:
        assert client.wait(1, 5000) == 1  # what the replica has not got, Redis itself loses
    replicated.servers[before].kill()
    refused = 0
    for number in range(300, 400):
        wait_until(lambda number=number: send(number), 60, "the new primary takes messages")
        refused += number == 300
    assert replicated.primary() != before

    wanted = {str(number) for number in range(-1, 400)}
    wait_until(lambda: wanted <= set((tmp_path / "journal").read_text().split()), 40, "every task has run")
    assert app.send_task("tasks.note", (1000,)).get(timeout=20) == 1000
    assert worker.poll() is None


@pytest.mark.timeout(120)
def test_an_open_lane_and_plain_kombu_follow_the_primary(replicated, app, message, loop, wait_until):
    def connection():
        return app.connection_for_read()

    producer, lane = RedisTransport.producer_lane(connection()), RedisTransport.consumer_lane(connection())
    lane.open([Queue("tasks")], loop.hub, loop.on_ready)
    producer.publish([message("1"), message("2")])
    (first,) = lane.claim(1)
    before = replicated.primary()
    with closing(replicated.client(before)) as client:
        assert client.wait(1, 5000) == 1
    replicated.servers[before].kill()
    wait_until(lambda: replicated.primary() != before, 30, "the Sentinels choose another")

    found = []

    def claims():
        try:
            found.extend(lane.turn(Settlements(ack=[first.tag]), 5))
        except OperationalError:
            return False
        return found

    wait_until(claims, 30, "the lane finds the new primary")
    assert [each.body for each in found] == [b"2"]
    assert lane.turn(Settlements(ack=[found[0].tag]), 5) == []
    loop.turn_until(lambda: lane.depth("tasks") == 0)
    rung = loop.calls
    producer.publish([message("3")])
    loop.turn_until(lambda: loop.calls > rung)
    assert [each.body for each in lane.claim(5)] == [b"3"]
    lane.close()
    producer.close()
    with connection() as plain, plain.SimpleQueue("simple") as queue:
        queue.put({"a": 1})
        got = queue.get(timeout=5)
        got.ack()
        assert got.payload == {"a": 1}


def test_a_primary_that_nobody_knows_is_an_error_that_says_what_to_check(replicated, message):
    options = {**replicated.options, "master_name": "other"}
    with pytest.raises(OperationalError, match=r"no Sentinel at 127\.0\.0\.1:.* 'other'.*master_name") as caught:
        RedisTransport.producer_lane(
            Connection(replicated.url, transport=RedisTransport, transport_options=options)
        ).publish([message("1")])
    assert PASSWORD not in str(caught.value)


def test_a_sentinel_without_the_name_of_a_primary_is_refused():
    with pytest.raises(ImproperlyConfigured, match="master_name"):
        RedisTransport.producer_lane(Connection("sentinel://localhost", transport=RedisTransport))


def test_the_name_may_stand_in_the_url():
    lane = RedisTransport.producer_lane(Connection("sentinel://localhost?master_name=m", transport=RedisTransport))
    lane.close()
