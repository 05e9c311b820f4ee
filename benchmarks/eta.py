"""What long tasks and tasks that wait for their time cost those that could run now.

    python benchmarks/eta.py                   # on the embedded queue
    python benchmarks/eta.py redis             # on a Redis server of its own
    python benchmarks/eta.py amqp://...        # on RabbitMQ; --quorum for queues on which the server holds ETAs back

Accuracy: tasks with an ETA on a worker that does nothing else, beside a plain timer in its main process (what that is
late by is the machine's doing).  Delay: tasks sent one by one while one of two children
runs a task of a minute and the worker may hold a hundred messages, beside the same without the long task.  Held: tasks
for an hour ahead (100,000, or as many as the worker holds where the broker cannot), the memory of the worker's
processes with them, and the rate at which it drains others, to that of the same worker without them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from metronome import INTERVAL, lateness
from tree import Tree

from celeriac import group

_OPTIONS = ["-P", "prefork", "-c", "2"]


class Row(NamedTuple):
    """One line of the table."""

    name: str
    measured: str
    promised: str
    is_kept: bool


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def shown(values: list[float]) -> str:
    p50, p99, most = (round(percentile(values, part) * 1e3, 1) for part in (0.5, 0.99, 1))
    return f"p50 {p50}, p99 {p99}, most {most} ms"


def accuracy(app: Any, count: int) -> tuple[list[float], float, float]:
    """Seconds after its moment at which each task began, and the first and the last moment."""
    first = (time.time() + 5) // INTERVAL * INTERVAL  # all are sent by then
    moments = [first + number * INTERVAL for number in range(count)]
    calls = [app.signature("when").set(eta=datetime.fromtimestamp(moment, UTC)) for moment in moments]
    sent = group(calls).apply_async()
    if time.time() > first:
        raise RuntimeError("sending took longer than five seconds")
    late = [began - moment for began, moment in zip(sent.join(timeout=60), moments, strict=True)]
    return late, first, moments[-1]


def delays(app: Any, count: int) -> list[float]:
    """Seconds between sending a task and its beginning, one by one."""
    waits = []
    for _ in range(count):
        sent = time.time()
        waits.append(app.send_task("when").get(timeout=60) - sent)
        time.sleep(0.01)
    return waits


def drain(app: Any, count: int) -> float:
    """Tasks a second, from before they are sent, in one batch, to the last result."""
    began = time.monotonic()
    group(app.signature("quick", [number]) for number in range(count)).apply_async().join(timeout=120)
    return count / (time.monotonic() - began)


def moments(app: Any, log: Path, long: float) -> list[Row]:
    """When tasks begin: those with an ETA, and those beside a long one."""
    beats = log.with_name("metronome")
    with Tree("soaked", [*_OPTIONS, "--prefetch-multiplier", "50"], {"METRONOME": str(beats)}, log):
        delays(app, 20)
        late, first, last = accuracy(app, 500)
        without = delays(app, 300)
        app.send_task("slow", [0, long])
        began = time.monotonic()
        beside = delays(app, 300)
        if time.monotonic() - began > long:
            raise RuntimeError("the long task has ended before the others: take a longer one")
    plain = lateness(beats, first, last)
    above = percentile(late, 0.99) - percentile(plain, 0.99)
    return [
        Row("start after the ETA", shown(late), "never before", min(late) >= 0),
        Row("a plain timer beside it", shown(plain), "", True),
        Row("p99 above that timer's", f"{above * 1e3:.1f} ms", "at most 10 ms", above <= 0.01),
        Row("delay", shown(without), "", True),
        Row("delay beside a long task", shown(beside), "at most 50 ms", max(beside) <= 0.05),
    ]


def holding(app: Any, log: Path, held: int, count: int) -> list[Row]:
    """What many tasks cost that wait for their time."""
    is_with_worker = app.conf.broker_url.startswith("amqp")
    rates: list[float] = []
    memory: list[float] = []
    for has_held in (False, True):
        if has_held:
            ahead = datetime.now(UTC) + timedelta(hours=1)
            waiting = [app.signature("quick", [number]).set(eta=ahead) for number in range(held)]
            group(waiting).apply_async()
        with Tree("soaked", _OPTIONS, {}, log) as worker:
            drain(app, 1_000)  # comes after those that wait, where they are all in one queue
            rates.append(statistics.median(drain(app, count) for _ in range(5)))
            memory.append(worker.pss_mib())
    where = "by the worker" if is_with_worker else "by the broker"
    ratio = rates[1] / rates[0]
    told = f"{memory[1]:.0f} MiB ({memory[0]:.0f} without)"
    rate = f"{rates[1]:,.0f} a second, {ratio:.2f} of that without"
    return [
        Row(f"memory with {held:,} held {where}, PSS", told, "under 200 MiB", memory[1] < 200),
        Row("drain with these held", rate, "as without", ratio > 0.85),
    ]


def leave_nothing(app: Any) -> None:
    """Delete what this run has declared in a RabbitMQ server."""
    prefix: str = app.conf.task_default_queue
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_delete(prefix)
        for number in range(28):
            channel.queue_delete(f"{prefix}_celery_delayed_{number}")
            channel.exchange_delete(f"{prefix}_celery_delayed_{number}")
        channel.exchange_delete(f"{prefix}_celery_delayed_delivery")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("broker", nargs="?", default="sqlite", help="sqlite, redis (a server of its own), or a URL")
    options.add_argument("--quorum", action="store_true", help="on RabbitMQ: quorum queues")
    options.add_argument("--held", type=int, help="tasks for an hour ahead")
    options.add_argument("--long", type=float, default=60, help="seconds of the long task")
    options.add_argument("--count", type=int, default=4_000, help="tasks of each drain")
    given = options.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = given.broker
        if url == "sqlite":
            url = f"sqlite:///{directory / 'queue.db'}"
        elif url == "redis":
            from servers import Redis

            url = stack.enter_context(Redis(directory)).url
        settings: dict[str, Any] = {"broker_url": url, "result_backend": url}
        if url.startswith("amqp"):
            own = f"eta-{os.getpid()}"
            settings |= {
                "task_default_queue": own,
                "task_default_queue_type": "quorum" if given.quorum else "classic",
                "broker_transport_options": {"delayed_delivery_prefix": own},
                "result_backend": f"sqlite:///{directory / 'results.db'}",
            }
        os.environ["SOAK_SETTINGS"] = json.dumps(settings)
        from soaked import app

        held = given.held or 100_000
        try:
            rows = moments(app, directory / "worker.log", given.long)
            rows += holding(app, directory / "worker.log", held, given.count)
        finally:
            if url.startswith("amqp"):
                leave_nothing(app)
    print(f"## {given.broker.partition('://')[0]}\n")
    print("| | measured | promised | kept |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {row.measured} | {row.promised} | {'yes' if row.is_kept else 'NO'} |")
    return 0 if all(row.is_kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
