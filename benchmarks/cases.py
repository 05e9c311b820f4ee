"""The table of cases: what to start, with which options, at which size."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One way to run no-ops. `broker` is "redis", the driver's own server, or a URL with {tmp} in it."""

    name: str
    peer: str
    worker: tuple[str, ...]
    broker: str = "redis"
    #: Sized for 5 to 10 seconds a drain on a slow machine with two cores.
    n: int = 20_000
    options: dict[str, int] = field(default_factory=dict)
    #: Measured with results on: start, memory, idle CPU, round trip.
    life: bool = True


EMBEDDED = "sqlite:///{tmp}/queue.db"


def _celery_like(peer: str, pool: str, concurrency: int) -> tuple[str, ...]:
    app = ("-A", f"adapters.{peer}_peer", "worker", "-l", "WARNING")
    return (peer, *app, "-P", pool, "-c", str(concurrency))


#: What `make bench` compares.
COMPARED = (
    Case("celeriac/sqlite/prefork2", "celeriac", _celery_like("celeriac", "prefork", 2), EMBEDDED),
    Case("dramatiq/redis/2x8", "dramatiq", ("dramatiq", "adapters.dramatiq_peer", "-p", "2", "-t", "8")),
    Case("celery/redis/prefork2", "celery", _celery_like("celery", "prefork", 2), n=4_000),
)


def _more() -> list[Case]:
    """For those who ask: other pools, and brokers by URL, as in BENCH_URLS="sqlite:///{tmp}/queue.db redis"."""
    found = []
    for broker in os.environ.get("BENCH_URLS", EMBEDDED).split():
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
