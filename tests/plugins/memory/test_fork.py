"""A forked child has a dead copy of the memory, and is told so at once."""

from __future__ import annotations

import re
import sys
import textwrap

import pytest

PROGRAM = """
import os, sys
from celeriac.app.base import Celery
from celeriac.contracts import OutgoingMessage, Settlements, StoredResult
from celeriac.exceptions import ImproperlyConfigured
from celeriac_memory.broker import Transport
from kombu import Connection, Queue
from kombu.asynchronous import Hub

connection = Connection("memory://", transport=Transport)
producer = Transport.producer_lane(connection)
message = OutgoingMessage(b"1", "text/plain", "utf-8", {{}}, {{}}, "", "tasks", Queue("tasks"))
producer.publish([message])
consumer = Transport.consumer_lane(Connection("memory://", transport=Transport))
consumer.open([Queue("tasks")], Hub(), lambda: None)
claimed = consumer.claim(1)
consumer.settle(Settlements(requeue=[delivery.tag for delivery in claimed]))

backend = Celery("forking", backend="memory://").backend
backend.store([StoredResult("a", "SUCCESS", {{"task_id": "a"}})])
watcher = backend.watch()

child = os.fork()
if child == 0:
    try:
        {use}
    except ImproperlyConfigured as error:
        print(f"refused: {{error}}", flush=True)
        consumer.close()
        producer.close()
        watcher.close()
        backend.after_fork()
        backend.close()
        print("closed", flush=True)
        os._exit(0)
    os._exit(3)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert [delivery.body for delivery in consumer.claim(5)] == [b"1"]
assert set(backend.fetch(["a"])) == {{"a"}}
print("parent goes on", flush=True)
"""


@pytest.mark.parametrize(
    "use",
    [
        "producer.publish([message])",
        "consumer.claim(1)",
        "Queue('tasks').bind(connection).get()",
        "connection.drain_events(timeout=0)",
        "Transport.producer_lane(Connection('memory://', transport=Transport)).publish([message])",
        "backend.store([])",
        "backend.fetch(['a'])",
        "backend.delete(['a'])",
        "backend.watch()",
        "watcher.wait(0)",
    ],
)
def test_a_forked_child_is_refused_and_the_parent_goes_on(spawn, use):
    program = spawn(sys.executable, "-c", textwrap.dedent(PROGRAM).format(use=use))
    assert program.wait() == 0, program.output()
    output = program.output()
    assert re.search(r"refused: the in-memory (broker|result store) memory://localhost/ belongs to process \d+", output)
    assert "--pool threads" in output
    assert "pip install celeriac-sqlite" in output
    assert "closed" in output
    assert "parent goes on" in output
