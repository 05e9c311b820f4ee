"""A fleet moves from Celery to Celeriac and back, worker by worker, while clients of both go on calling."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from kombu import Connection
from redis import Redis

APP = Path(__file__).with_name("moving.py")
PYTHON = {"celeriac": sys.executable, "celery": os.environ.get("INTEROP_PYTHON")}

pytestmark = pytest.mark.skipif(None in PYTHON.values(), reason="needs Celery beside Celeriac: run `make interop`")


@pytest.fixture
def place(request, redis_url, rabbitmq_url, tmp_path):
    prefix = f"moving-{uuid4().hex}"
    urls = {"redis": redis_url, "rabbitmq": rabbitmq_url}
    yield {"URL": urls[request.param], "STORE": redis_url, "PREFIX": prefix, "STOP": str(tmp_path / "stop")}
    with Redis.from_url(redis_url) as server:
        for key in server.scan_iter(f"{prefix}*", count=1000):
            server.delete(key)
    if request.param == "rabbitmq":
        with Connection(rabbitmq_url) as connection:
            connection.default_channel.queue_delete(prefix)


@pytest.fixture
def fleet(spawn, place):
    return Fleet(spawn, place)


class Fleet:
    """Processes of both frameworks, on one broker and one store."""

    def __init__(self, spawn, place):
        self._spawn, self._place = spawn, place

    def _run(self, framework, *arguments):
        return self._spawn(PYTHON[framework], *arguments, env={**self._place, "FRAMEWORK": framework}, cwd=APP.parent)

    def worker(self, framework):
        # Celery 5.7 with children does not always come to its end after SIGTERM on RabbitMQ.
        pool = {"celery": ("-P", "solo"), "celeriac": ("-c", "2")}[framework]
        options = (*pool, "-l", "INFO", "-n", f"{uuid4().hex}@here")
        worker = self._run(framework, "-m", framework, "-A", "moving", "worker", *options)
        worker.wait_for_output("ready.", timeout=40)
        return worker

    def client(self, framework):
        client = self._run(framework, str(APP))
        client.wait_for_output("ROUND 1\n", timeout=40)
        return client

    def tell_clients_to_end(self):
        Path(self._place["STOP"]).touch()


def replace(worker, by, clients):
    """End a worker as an init system does, and wait until every client has got on without it."""
    worker.signal(signal.SIGTERM)
    assert worker.wait(30) == 0, worker.output()
    for client in clients:
        number = int(re.findall(r"ROUND (\d+)\n", client.output())[-1])
        client.wait_for_output(f"ROUND {number + 12}\n", timeout=60)
    return by


def rounds_of(client):
    """How many rounds a client has called that all came to what they had to come to."""
    assert client.wait(60) == 0, client.output()
    [line] = re.findall(r"SEEN (.*)\n", client.output())
    seen = json.loads(line)
    assert seen["wrong"] == []
    return seen["rounds"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("place", ["redis", "rabbitmq"], indirect=True)
def test_a_fleet_moves_over_and_back_while_it_works(fleet, place):
    # Given two workers of Celery and a client that calls all the time
    workers = [fleet.worker("celery"), fleet.worker("celery")]
    clients = [fleet.client("celery")]

    # When one worker after the other is replaced, then the clients, and then one goes back
    for index in (0, 1):
        workers[index] = replace(workers[index], fleet.worker("celeriac"), clients)
    clients.append(fleet.client("celeriac"))
    workers[0] = replace(workers[0], fleet.worker("celery"), clients)
    fleet.tell_clients_to_end()

    # Then each call has come to what it had to come to
    assert [rounds_of(client) > 12 for client in clients] == [True, True]

    # And when the other has gone back too, all is as it was
    replace(workers[1], fleet.worker("celery"), [])
    assert rounds_of(fleet.client("celery")) == 1
