"""Celery and Celeriac as clients and workers of each other, on Redis and RabbitMQ: each sees what it would at home."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from kombu import Connection
from redis import Redis

APP = Path(__file__).with_name("dealings.py")
#: Interpreters with Celery, which `make interop` has made.
PYTHON = {
    "celeriac": sys.executable,
    "celery": os.environ.get("INTEROP_PYTHON"),
    "celery 5.6": os.environ.get("INTEROP_PYTHON_5_6"),
}

pytestmark = pytest.mark.skipif(None in PYTHON.values(), reason="needs Celery beside Celeriac: run `make interop`")

EXPECTED = {
    "revoke": ["TaskRevokedError", "revoked"],
    "success": 4,
    "failure": ["OutOfStock", "nuts"],
    "retry": 2,
    "eta": True,
    "expires": ["TaskRevokedError", "expired"],
    "chain": 7,
    "group": [0, 2, 4],
    "events": ["SUCCESS", "add", "5", True, True],
    "ping": [{"ok": "pong"}],
    "registered": ["add", "again", "blame", "fail", "now", "spread", "swap", "total"],
    "queues": [".main"],
    "stats": True,
    "rate_limit": [{"ok": "new rate limit set successfully"}],
}
#: What Celery itself cannot do with results as messages: count, find one by its id, follow a task that is replaced.
STORED = {"chord": 12, "spread": 6, "link": 13, "link_error": True, "replace": 11}

#: Without those that carry signatures, which Celery cannot write as YAML.
PLAIN = {name: EXPECTED[name] for name in ("success", "failure", "retry", "events", "ping", "registered", "rate_limit")}
WITH_SIGNATURES = {**PLAIN, "chain": 7, "group": [0, 2, 4], "chord": 12, "link": 13}
KEYS = Path(__file__).parents[1] / "plugins" / "auth" / "data"

PAIRS = [("celeriac", "celery"), ("celery", "celeriac"), ("celeriac", "celery 5.6"), ("celery 5.6", "celeriac")]


@pytest.fixture
def place(request, redis_url, rabbitmq_url):
    """Queues and results of the test's own, on the servers that all share: broker and store by name."""
    broker, store = request.param
    prefix = f"interop-{uuid4().hex}"
    urls = {"redis": redis_url, "rabbitmq": rabbitmq_url, "rpc": "rpc://"}
    yield {"URL": urls[broker], "STORE": urls[store], "PREFIX": prefix}
    with Redis.from_url(redis_url) as server:
        for key in server.scan_iter(f"{prefix}*", count=1000):
            server.delete(key)
    if broker == "rabbitmq":
        with Connection(rabbitmq_url) as connection:
            for name in ("main", "other", "ranked"):
                connection.default_channel.queue_delete(f"{prefix}.{name}")


@pytest.fixture
def run(spawn, place):
    """Return ``run(framework, *arguments)``: the app's module, by that framework."""

    def start(framework, *arguments):
        module = framework.partition(" ")[0]
        return spawn(PYTHON[framework], *arguments, env={**place, "FRAMEWORK": module}, cwd=APP.parent)

    return start


@pytest.fixture
def start_worker(run, place):
    """Return ``start_worker(framework, *queues)``."""

    def start(framework, *queues):
        names = ",".join(f"{place['PREFIX']}.{queue}" for queue in queues)
        module = framework.partition(" ")[0]
        options = ("-P", "solo", "-l", "INFO", "-Q", names, "-n", f"{uuid4().hex}@here")
        worker = run(framework, "-m", module, "-A", "dealings", "worker", *options)
        worker.wait_for_output("ready.", timeout=40)
        return worker

    return start


def seen_by(client):
    assert client.wait(55) == 0, client.output()
    [line] = [line for line in client.output().splitlines() if line.startswith("SEEN ")]
    return json.loads(line.removeprefix("SEEN "))


def named(case):
    return "-".join(case) if isinstance(case, tuple) else case


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    "place", [("redis", "redis"), ("rabbitmq", "rpc"), ("rabbitmq", "redis")], indirect=True, ids=named
)
@pytest.mark.parametrize(("client", "worker"), PAIRS)
def test_a_client_deals_with_the_others_worker_as_with_its_own(run, start_worker, place, client, worker):
    start_worker(worker, "main")
    expected = EXPECTED if place["STORE"].startswith("rpc") else EXPECTED | STORED
    calling = run(client, str(APP), *expected)
    assert seen_by(calling) == expected


@pytest.mark.timeout(150)
@pytest.mark.parametrize("place", [("redis", "redis")], indirect=True, ids=named)
@pytest.mark.parametrize(("client", "worker"), PAIRS)
@pytest.mark.parametrize("serializer", ["pickle", "yaml", "msgpack", "orjson", "auth"])
def test_they_do_with_tasks_results_events_and_commands_in_each_serializer(
    run, start_worker, place, monkeypatch, client, worker, serializer
):
    monkeypatch.setenv("KEYS", str(KEYS))
    monkeypatch.setenv("C_FORCE_ROOT", "1")

    def written_by(framework):
        # What orjson writes is JSON to everybody else.
        place["SERIALIZER"] = "json" if serializer == "orjson" and framework != "celeriac" else serializer
        return framework

    serving = start_worker(written_by(worker), "main")
    expected = PLAIN if serializer == "yaml" else WITH_SIGNATURES
    assert seen_by(run(written_by(client), str(APP), *expected)) == expected
    assert "refused" not in serving.output()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("place", [("redis", "redis")], indirect=True, ids=named)
@pytest.mark.parametrize("client", ["celeriac", "celery"])
def test_a_chord_is_gathered_by_workers_of_both(run, start_worker, place, client):
    start_worker("celeriac", "main")
    start_worker("celery", "other")
    assert seen_by(run(client, str(APP), "split")) == {"split": 30}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("place", [("redis", "redis"), ("rabbitmq", "rpc")], indirect=True, ids=named)
@pytest.mark.parametrize(("client", "worker"), PAIRS[:2])
def test_what_is_urgent_runs_first_whoever_sent_it(run, start_worker, place, client, worker):
    # Given tasks of several priorities that wait
    calling = run(client, str(APP), "ranked")
    calling.wait_for_output("SENT", timeout=30)

    # When a worker comes, then it takes the most urgent first
    start_worker(worker, "ranked")
    assert seen_by(calling) == {"ranked": ["urgent", "usual", "idle"]}
