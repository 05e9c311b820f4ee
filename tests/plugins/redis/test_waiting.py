"""Waiting for very many results: what it costs the server, counted by the server itself."""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from celeriac import Celery

MANY = 10_000

#: Stores results as a worker does, from a process of its own.
WORKER = """
import sys
from celeriac import Celery

app = Celery("worker", set_as_current=False, broker="memory://", backend=sys.argv[1])
ids = [str(number) for number in range(int(sys.argv[2]))]
step = int(sys.argv[3])
for start in range(0, len(ids), step):
    app.results.store([app.results.entry(each, "SUCCESS", each) for each in ids[start : start + step]])
app.close()
"""


@pytest.fixture
def server(own_server):
    """A server of the test's own, so that all that it counts is of this test."""
    client = Redis.from_url(own_server().url)
    yield client
    client.close()


@pytest.fixture
def app(server):
    app = Celery("proj", set_as_current=False, broker="memory://", backend=url_of(server))
    yield app
    app.close()


def url_of(server):
    return "redis://127.0.0.1:{port}/{db}".format(**server.connection_pool.connection_kwargs)


def others(server):
    """The connections of everybody else."""
    own = server.client_id()
    return [client for client in server.client_list() if int(client["id"]) != own]


def calls(server, command):
    return server.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


def finish(server, wait_until, spawn, step):
    """Store all results from another process, once all of them are listened for."""
    wait_until(lambda: len(server.pubsub_channels("*celery-task-meta-*")) >= MANY, timeout=30, message="subscribed")
    counted = {"connections": len(others(server)), "subscribe": calls(server, "subscribe")}
    worker = spawn(sys.executable, "-c", WORKER, url_of(server), str(MANY), str(step))
    assert worker.wait(50) == 0, worker.output()
    return counted


@pytest.mark.parametrize("step", [1000, 10])
def test_ten_thousand_results_cost_one_subscription_and_two_connections(server, app, spawn, wait_until, step):
    # Given one who waits for ten thousand results
    ids = [str(number) for number in range(MANY)]
    results = app.ResultSet([app.AsyncResult(each) for each in ids])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(results.get, timeout=50)

        # When they come, in large batches or in small ones
        counted = finish(server, wait_until, spawn, step)

        # Then all have come, over one connection that is subscribed, and one that has asked for what was there before
        assert waiting.result(50) == ids
    assert counted["connections"] <= 2
    # and the subscription took a command for hundreds of them
    assert counted["subscribe"] <= MANY / 500
    assert calls(server, "subscribe") == counted["subscribe"]
    assert calls(server, "mget") <= MANY / 500


def test_threads_and_coroutines_share_that_subscription(server, app, spawn, wait_until):
    # Given ten thousand results for which threads and coroutines wait, each for some, and each result for two of them
    ids = [str(number) for number in range(MANY)]
    shares = [ids[start::8] for start in range(8)]

    async def gather():
        members = [app.ResultSet([app.AsyncResult(each) for each in share]).aget(timeout=50) for share in shares]
        return await asyncio.gather(*members)

    with ThreadPoolExecutor(9) as pool:
        threads = [
            pool.submit(app.ResultSet([app.AsyncResult(each) for each in share]).get, timeout=50) for share in shares
        ]
        coroutines = pool.submit(asyncio.run, gather())

        # When they come
        counted = finish(server, wait_until, spawn, 500)

        # Then each has its own
        assert [thread.result(50) for thread in threads] == shares
        assert coroutines.result(50) == shares
    assert counted["connections"] <= 3


def test_a_forked_child_subscribes_for_itself_and_leaves_the_parents_alone(server, app, wait_until):
    # Given a process that waits
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(app.AsyncResult("parent").get, timeout=30)
        wait_until(lambda: server.pubsub_channels("*parent"), message="the parent is subscribed")

        # When a child of it waits for something else, and ends
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if app.AsyncResult("child").get(timeout=20) == 1 else 2
            finally:
                os._exit(code)
        wait_until(lambda: server.pubsub_channels("*child"), message="the child is subscribed")
        assert len(server.pubsub_channels("*parent")) == 1
        other = Celery("worker", set_as_current=False, broker="memory://", backend=url_of(server))
        other.results.store_state("child", "SUCCESS", 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

        # Then the parent still waits, and gets its own
        assert not waiting.done()
        other.results.store_state("parent", "SUCCESS", 2)
        assert waiting.result(20) == 2
        other.close()
