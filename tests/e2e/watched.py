"""An app whose workers are watched; the broker is that of the environment, everything on it has the test's name."""

from __future__ import annotations

import os

from celeriac import Celery

NAME = os.environ.get("WATCHED", "watched")

BROKER = os.environ["WATCHED_BROKER"]

app = Celery("watched", broker=BROKER, set_as_current=False)
app.conf.update(
    broker_transport="kombu.transport.pyamqp:Transport" if BROKER.startswith("amqp") else None,
    task_default_queue=NAME,
    event_exchange=f"{NAME}.ev",
    control_exchange=NAME,
    event_queue_prefix=f"{NAME}.ev",
)


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="fail")
def fail():
    raise ValueError("no")
