"""One app for both, whose client goes on calling while workers of the one are replaced by workers of the other.

``python moving.py`` calls until the file `STOP` exists, waits for all that it has called then, and prints what
went wrong.
"""

from __future__ import annotations

import importlib
import json
import os
from collections import deque
from itertools import count
from pathlib import Path

FRAMEWORK = os.environ["FRAMEWORK"]
PREFIX = os.environ["PREFIX"]
#: Rounds that are not waited for yet: what a worker that stops has at hand, and more.
OUTSTANDING = 20
framework = importlib.import_module(FRAMEWORK)
keys = {"global_keyprefix": f"{PREFIX}:"}
app = framework.Celery("moving", broker=os.environ["URL"], backend=os.environ["STORE"])
app.conf.update(
    broker_transport_options=keys if os.environ["URL"].startswith("redis") else {},
    result_backend_transport_options=keys,
    broker_connection_retry_on_startup=True,
    control_exchange=f"{PREFIX}.control",
    event_exchange=f"{PREFIX}.events",
    event_queue_prefix=f"{PREFIX}.events",
    task_default_queue=PREFIX,
)


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="late", acks_late=True)
def late(x):
    return x


@app.task(name="total")
def total(values):
    return sum(values)


# Without a delay a worker of Celery may store RETRY after the next attempt's SUCCESS, and the caller waits for ever.
@app.task(name="again", bind=True, max_retries=1, default_retry_delay=1)
def again(self, x):
    if not self.request.retries:
        raise self.retry()
    return x


def called(number):
    """Name to result and what it has to be, of one round."""
    return {
        "early": (add.delay(number, 1), number + 1),
        "late": (late.delay(number), number),
        "retried": (again.delay(number), number),
        "in a second": (add.apply_async((number, 2), countdown=1), number + 2),
        "chain": ((add.s(number, 1) | add.s(2) | late.s()).apply_async(), number + 3),
        "chord": (framework.chord([add.s(number, 1), late.s(number)])(total.s()), 2 * number + 1),
    }


def wrong_in(number, results):
    """What did not end as it should; a result that never comes is an error after a minute."""
    for name, (result, expected) in results.items():
        try:
            found = result.get(timeout=60)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is not the value
            found = repr(error)
        if found != expected:
            yield [number, name, found]


if __name__ == "__main__":
    waiting, wrong = deque(), []
    for number in count(1):
        waiting.append((number, called(number)))
        print("ROUND", number, flush=True)
        if is_over := Path(os.environ["STOP"]).exists():
            print("ALL CALLED", flush=True)
        while len(waiting) > (0 if is_over else OUTSTANDING):
            wrong.extend(wrong_in(*waiting.popleft()))
        if is_over:
            break
    print("SEEN", json.dumps({"rounds": number, "wrong": wrong}))
