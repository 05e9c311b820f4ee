"""Journals in a directory of the test, and workers that die."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import deque
from types import SimpleNamespace

import pytest

from celeriac.contracts import ConsumerLane, Delivery, LaneCapabilities
from celeriac.worker.begun.lane import journaled

#: A worker that has begun the messages that it is given, and is killed; the last of them before it told the broker.
DYING = """
import json, os, signal, sys
from types import SimpleNamespace
from celeriac.contracts import ConsumerLane, Delivery, Settlements
from celeriac.worker.begun.lane import journaled

given = json.loads(sys.argv[1])

class Lane(ConsumerLane):
    def open(self, *_): pass
    def close(self): pass
    def claim(self, limit):
        return [Delivery(**{**each, "body": each["body"].encode()}) for each in given["messages"]]
    def settle(self, batch):
        if "last" in batch.begin:
            os.kill(os.getpid(), signal.SIGKILL)

lane = journaled(Lane(), given["address"], [], given["directory"], "dead@host")
tags = [each.tag for each in lane.claim(100)]
lane.settle(Settlements(begin=[tag for tag in tags if tag != "last"]))
lane.ended(given["ended"]) if given["away"] else lane.settle(Settlements(ack=given["ended"]))
if "last" in tags:
    lane.settle(Settlements(begin=["last"]))
print("alive", flush=True)
sys.stdin.read()
"""


class Broker(ConsumerLane):
    """A lane that keeps no trace, gives what the test puts into it, and notes what it is told."""

    capabilities = LaneCapabilities.GIVE_BACK

    def __init__(self):
        self.ready = deque()
        self.told = []
        self.failure = None
        self.is_open = True

    def open(self, queues, loop, on_ready):
        raise NotImplementedError

    def claim(self, limit):
        return [self.ready.popleft() for _ in range(min(limit, len(self.ready)))]

    def settle(self, batch):
        if self.failure is not None:
            raise self.failure
        self.told.append(batch)

    def add_queue(self, queue):
        pass

    def remove_queue(self, name):
        pass

    def close(self):
        self.is_open = False


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def make_lane(directory):
    """Return ``make_lane(broker, *queues, address="one")``: a lane with a journal beside it."""
    made = []

    def make(broker, *queues, address="one", where=directory):
        lane = journaled(broker, address, [SimpleNamespace(name=name) for name in queues], str(where), "living@host")
        made.append(lane)
        return lane

    yield make
    for lane in made:
        lane.close()


@pytest.fixture
def lane(make_lane, broker):
    return make_lane(broker, "celery")


@pytest.fixture
def message():
    """Return ``message(tag, body=b"{}", queue="celery", **headers)``."""

    def make(tag, body=b"{}", queue="celery", **headers):
        headers = {"id": f"id-{tag}", "task": "proj.work", **headers}
        return Delivery(tag, queue, headers, {"reply_to": "a"}, body, "application/json", "utf-8", "", queue, False, 0)

    return make


@pytest.fixture
def die(directory, tmp_path):
    """Return ``die(*deliveries, ended=())``: a worker has begun these, ended some, and was killed.

    With ``away=True`` it could not tell the broker of those that it has ended.

    One whose tag is "last" was about to be acked.  With ``alive=True`` it lives on, and is returned.
    """
    started = []

    def run(*deliveries, ended=(), address="one", alive=False, away=False):
        given = {
            "directory": str(directory),
            "address": address,
            "messages": [{**each._asdict(), "body": each.body.decode()} for each in deliveries],
            "ended": list(ended),
            "away": away,
        }
        worker = subprocess.Popen(
            [sys.executable, "-c", DYING, json.dumps(given)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(worker)
        worker.stdout.readline()
        if not alive:
            worker.kill()
            assert worker.wait(10) == -signal.SIGKILL
        return worker

    yield run
    for worker in started:
        worker.kill()
        worker.communicate()
