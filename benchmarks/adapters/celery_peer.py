"""Celery, told nothing that the other of the two is not told."""

from __future__ import annotations

from celery import Celery, group
from probe import touch
from settings import BROKER, RESULTS, STORE, option

from adapters.timing import each

app = Celery("bench", broker=BROKER)
app.conf.update(
    result_backend=STORE,
    task_ignore_result=not RESULTS,
    worker_prefetch_multiplier=option("prefetch", 4),
    task_acks_late=bool(option("acks_late", 0)),
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop():
    touch()


def enqueue(n):
    delay = noop.delay
    for _ in range(n):
        delay()


def bulk(n):
    """A group of 1,000 at a time."""
    signature = noop.si()
    for start in range(0, n, 1000):
        group([signature.clone() for _ in range(min(1000, n - start))]).apply_async()


def roundtrip(n):
    return each(n, lambda: noop.delay().get(timeout=20))
