"""One app for both, whose messages, results, events and commands are signed.

``python signed.py CALL...`` is the client: it calls, waits, and prints what it saw, as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

framework = importlib.import_module(os.environ["FRAMEWORK"])
data = os.environ["KEYS"]
options = {"global_keyprefix": os.environ["PREFIX"]}
app = framework.Celery("signed", broker=os.environ["URL"], backend=os.environ["URL"])
app.conf.update(
    broker_transport_options=options,
    result_backend_transport_options=options,
    broker_connection_retry_on_startup=True,
    task_default_queue="signed",
    task_serializer="auth",
    event_serializer="auth",
    result_serializer="auth",
    accept_content=["auth"],
    security_key=f"{data}/test-only.key",
    security_certificate=f"{data}/test-only.pem",
    security_cert_store=f"{data}/*.pem",
    worker_send_task_events=True,
    control_exchange=os.environ["PREFIX"].rstrip(":"),
)
app.setup_security()


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="again", bind=True, max_retries=2, default_retry_delay=0)
def again(self):
    if self.request.retries < 2:
        raise self.retry()
    return self.request.retries


@app.task(name="total")
def total(values):
    return sum(values)


def seen(name):
    """What the client sees of a call, or of a question to the worker."""
    if name == "ping":
        return sorted(value["ok"] for answer in app.control.ping(timeout=5) for value in answer.values())
    if name == "registered":
        (tasks,) = app.control.inspect(timeout=5).registered().values()
        return sorted(task for task in tasks if not task.startswith("celery."))
    calls = {
        "add": add.s(2, 2),
        "again": again.s(),
        "chain": add.s(1, 1) | add.s(2) | add.s(3),
        "chord": framework.chord([add.s(1, 1), add.s(2, 2)], total.s()),
    }
    return calls[name].apply_async().get(timeout=30)


if __name__ == "__main__":
    print("SEEN", json.dumps({name: seen(name) for name in sys.argv[1:]}))
