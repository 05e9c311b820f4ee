"""Celeriac, told nothing that the other of the two is not told."""

from __future__ import annotations

from probe import touch
from settings import BROKER, RESULTS, STORE, option

from adapters.timing import each
from celeriac import Celery, chord, group

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


@app.task(name="count")
def count(results):
    return len(results)


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


def gather(n):
    """A chord of so many no-ops, from sending it to its value."""
    assert chord([noop.si() for _ in range(n)], count.s()).delay().get(timeout=120) == n
