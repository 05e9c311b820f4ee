"""The table of cases: what to start, with which options, at which size."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One way to run no-ops. `broker` is "redis" or "amqp", a server of the driver's own, or a URL with {tmp} in it."""

    name: str
    peer: str
    worker: tuple[str, ...]
    broker: str = "redis"
    #: Sized for 5 to 10 seconds a drain on a slow machine with two cores.
    n: int = 20_000
    options: dict[str, int] = field(default_factory=dict)
    #: Whether it can send many tasks with one call, and gather their results in a last one.
    bulk: bool = True
    chord: bool = False


EMBEDDED = "sqlite:///{tmp}/queue.db"


def _celery_like(peer: str, pool: str, concurrency: int) -> tuple[str, ...]:
    app = ("-A", f"adapters.{peer}_peer", "worker", "-l", "WARNING")
    return (peer, *app, "-P", pool, "-c", str(concurrency))


def _dramatiq(broker: str) -> Case:
    return Case(
        f"dramatiq/{broker}/2x8",
        "dramatiq",
        ("dramatiq", "adapters.dramatiq_peer", "-p", "2", "-t", "8"),
        broker,
        n=10_000,
        bulk=False,
    )


def _taskiq(broker: str, n: int) -> Case:
    tuned = ("-w", "2", "--log-level", "WARNING", "--no-parse", "--max-async-tasks", "100", "--max-prefetch", "100")
    argv = ("taskiq", "worker", "adapters.taskiq_peer:broker", *tuned)
    return Case(f"taskiq/{broker}/2", "taskiq", argv, broker, n=n, bulk=False)


#: What `make bench` compares, by broker: the embedded queue is held against those that need a server.
COMPARED = (
    Case("celeriac/sqlite/prefork2", "celeriac", _celery_like("celeriac", "prefork", 2), EMBEDDED, chord=True),
    Case("celeriac/redis/prefork2", "celeriac", _celery_like("celeriac", "prefork", 2), chord=True),
    _dramatiq("redis"),
    _taskiq("redis", 10_000),
    Case("celery/redis/prefork2", "celery", _celery_like("celery", "prefork", 2), n=4_000),
    Case("celeriac/amqp/prefork2", "celeriac", _celery_like("celeriac", "prefork", 2), "amqp"),
    _dramatiq("amqp"),
    _taskiq("amqp", 4_000),
    Case("celery/amqp/prefork2", "celery", _celery_like("celery", "prefork", 2), "amqp", n=4_000),
)


def _more() -> list[Case]:
    """For those who ask: other pools, and brokers by URL, as in BENCH_URLS="sqlite:///{tmp}/queue.db redis"."""
    found = []
    for broker in os.environ.get("BENCH_URLS", f"{EMBEDDED} redis amqp").split():
        scheme = broker.partition(":")[0]
        for pool, concurrency in (("prefork", 2), ("threads", 8), ("solo", 1)):
            name = f"celeriac/{scheme}/{pool}{concurrency}"
            found.append(Case(name, "celeriac", _celery_like("celeriac", pool, concurrency), broker))
    tuned = {"prefetch": 128}
    found.append(
        Case("celery/redis/prefork2/tuned", "celery", _celery_like("celery", "prefork", 2), n=4_000, options=tuned)
    )
    found.append(Case("celery/redis/threads8", "celery", _celery_like("celery", "threads", 8), n=4_000))
    return found


ALL = {case.name: case for case in (*_more(), *COMPARED)}
