"""One app for both, in which client and worker deal with each other in every way; run as `FRAMEWORK` says.

``python dealings.py CALL...`` is the client: it calls, asks, listens, and prints what it saw, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from kombu import Queue

FRAMEWORK = os.environ["FRAMEWORK"]
PREFIX = os.environ["PREFIX"]
framework = importlib.import_module(FRAMEWORK)
keys = {"global_keyprefix": f"{PREFIX}:"} if os.environ["URL"].startswith("redis") else {}
app = framework.Celery("dealings", broker=os.environ["URL"], backend=os.environ["STORE"])
app.conf.update(
    broker_transport_options={"queue_order_strategy": "priority", **keys},
    result_backend_transport_options={"global_keyprefix": f"{PREFIX}:"},
    broker_connection_retry_on_startup=True,
    control_exchange=f"{PREFIX}.control",
    event_exchange=f"{PREFIX}.events",
    event_queue_prefix=f"{PREFIX}.events",
    result_persistent=False,
    task_default_queue=f"{PREFIX}.main",
    task_queues=[
        Queue(f"{PREFIX}.{name}", routing_key=f"{PREFIX}.{name}", queue_arguments=arguments)
        for name, arguments in {"main": {}, "other": {}, "ranked": {"x-max-priority": 10}}.items()
    ],
    task_send_sent_event=True,
    worker_send_task_events=True,
    worker_prefetch_multiplier=1,
)
if serializer := os.environ.get("SERIALIZER"):
    app.conf.update(
        task_serializer=serializer,
        result_serializer=serializer,
        event_serializer=serializer,
        accept_content=[serializer],
    )
if serializer == "auth":
    data = os.environ["KEYS"]
    app.conf.update(
        security_key=f"{data}/test-only.key",
        security_certificate=f"{data}/test-only.pem",
        security_cert_store=f"{data}/*.pem",
    )
    app.setup_security()


class OutOfStock(Exception):
    """An error of the project's own."""


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="total")
def total(values):
    return sum(values)


@app.task(name="fail")
def fail(what):
    raise OutOfStock(what)


@app.task(name="again", bind=True, max_retries=2, default_retry_delay=0)
def again(self):
    if self.request.retries < 2:
        raise self.retry()
    return self.request.retries


@app.task(name="now")
def now(_=None):
    return time.time()


@app.task(name="blame")
def blame(task_id):
    return f"blamed {task_id}"


@app.task(name="swap", bind=True)
def swap(self, x):
    raise self.replace(add.s(x, 10))


@app.task(name="spread", bind=True)
def spread(self):
    raise self.replace(framework.group(add.s(1, 1), add.s(2, 2)) | total.s())


def told(result):
    """The value of a result, or the name and the words of its error."""
    value = result.get(timeout=40, propagate=False)
    return [type(value).__name__, str(value)] if isinstance(value, BaseException) else value


def eta():
    # Celery's client listens for a second at a time: what came just as one was over, it was seen to wait for in vain.
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    return 0 <= now.apply_async(eta=due).get(timeout=40) - due.timestamp() < 20


def link():
    linked = add.s(10)
    linked.set(task_id=str(uuid4()))
    add.apply_async((1, 2), link=linked)
    return told(app.AsyncResult(linked.id))


def link_error():
    errback = blame.s()
    errback.set(task_id=str(uuid4()))
    failed = fail.apply_async(("bolts",), link_error=errback)
    return told(app.AsyncResult(errback.id)) == f"blamed {failed.id}"


def revoke():
    """Revoked before its time, at which the worker tells of it."""
    late = add.apply_async((1, 1), countdown=3)
    app.control.revoke(late.id, reply=True, timeout=5, limit=1)
    return lambda: told(late)


def ranked():
    """The order in which tasks ran that were sent before there was a worker, by how urgent they are."""
    levels = {"idle": 0, "usual": 5, "urgent": 9}
    if os.environ["URL"].startswith("redis"):  # which counts the other way
        levels = {"idle": 9, "usual": 5, "urgent": 0}
    queue = {"queue": f"{PREFIX}.ranked", "routing_key": f"{PREFIX}.ranked"}
    sent = {name: now.apply_async(priority=level, **queue) for name, level in levels.items()}
    print("SENT", flush=True)
    begun = {name: result.get(timeout=50) for name, result in sent.items()}
    return sorted(begun, key=begun.__getitem__)


def events():
    """What the client's own State knows of a task and of its worker, once it has heard of the end of the one. The task
    is sent when the worker's heart is heard, and so everything that is told of it."""
    state = importlib.import_module(f"{FRAMEWORK}.events.state").State()
    alive, ended = threading.Event(), threading.Event()
    sent = str(uuid4())

    def heard(event):
        state.event(event)
        if event["type"] == "worker-heartbeat":
            alive.set()
        if event["type"] == "task-succeeded" and event["uuid"] == sent:
            ended.set()
            receiver.should_stop = True

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": heard})
        consuming = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=20, wakeup=True))
        consuming.start()
        if alive.wait(20):
            add.apply_async((2, 3), task_id=sent)
            ended.wait(20)
        receiver.should_stop = True
        consuming.join(20)
    task, (worker,) = state.tasks[sent], state.workers.values()
    return [task.state, task.name, task.result, task.worker.hostname == worker.hostname, worker.alive]


def ask(question, **arguments):
    """What the one worker answers."""
    (answer,) = getattr(app.control.inspect(timeout=5, limit=1), question)(**arguments).values()
    return answer


CALLS = {
    "success": lambda: told(add.delay(2, 2)),
    "failure": lambda: told(fail.delay("nuts")),
    "retry": lambda: told(again.delay()),
    "eta": eta,
    "expires": lambda: told(add.apply_async((1, 1), expires=-1)),
    "link": link,
    "link_error": link_error,
    "chain": lambda: told((add.s(1, 1) | add.s(2) | add.s(3)).apply_async()),
    "group": lambda: told(framework.group(add.s(n, n) for n in range(3)).apply_async()),
    "chord": lambda: told(framework.chord([add.s(n, n) for n in range(4)])(total.s())),
    "replace": lambda: told(swap.delay(1)),
    "spread": lambda: told(spread.delay()),
    "split": lambda: told(
        framework.chord([add.s(n, n).set(queue=f"{PREFIX}.{('main', 'other')[n % 2]}") for n in range(6)])(
            total.s().set(queue=f"{PREFIX}.other")
        )
    ),
    "revoke": revoke,
    "ranked": ranked,
    "events": events,
    "ping": lambda: [value for answer in app.control.ping(timeout=5, limit=1) for value in answer.values()],
    "registered": lambda: sorted(name for name in ask("registered") if not name.startswith("celery.")),
    "queues": lambda: sorted(queue["name"].removeprefix(PREFIX) for queue in ask("active_queues")),
    "stats": lambda: ask("stats")["total"].get("add", 0) > 0,
    "rate_limit": lambda: list(app.control.rate_limit("add", "100/s", reply=True, timeout=5, limit=1)[0].values()),
}

if __name__ == "__main__":
    seen = {name: CALLS[name]() for name in sys.argv[1:]}
    print("SEEN", json.dumps({name: value() if callable(value) else value for name, value in seen.items()}))
