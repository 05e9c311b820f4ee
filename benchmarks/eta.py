"""What long tasks and tasks that wait for their time cost those that could run now.

    python benchmarks/eta.py                   # on the embedded queue
    python benchmarks/eta.py redis             # on a Redis server of its own
    python benchmarks/eta.py amqp              # on a RabbitMQ node of its own, amqp://... on another;
                                               # --quorum for queues on which the server holds ETAs back

Accuracy: tasks with an ETA on a worker that does nothing else, beside a plain timer in its main process (what that is
late by is the machine's doing).  Delay: tasks sent one by one while one of two children runs a task of a minute and the
worker may hold a hundred messages, beside the same without the long task.  Held: tasks for an hour ahead, the memory of
the worker's processes with them, and the rate at which it drains others, to that of a worker without them on a broker
of the same kind, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from metronome import INTERVAL, lateness
from sites import Site
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


def moments(site: Site, long: float) -> list[Row]:
    """When tasks begin: those with an ETA, and those beside a long one."""
    app, beats = site.app, site.directory / "metronome"
    env = {**site.env, "METRONOME": str(beats)}
    with Tree("soaked", [*_OPTIONS, "--prefetch-multiplier", "50"], env, site.directory / "worker.log"):
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


class Drained(NamedTuple):
    """What emptying a queue took."""

    rate: float
    #: Seconds of CPU per 10,000 tasks.
    worker: float
    server: float


def drained(site: Site, worker: Tree, count: int) -> Drained:
    """Have a worker run so many tasks."""
    before = worker.cpu(), site.cpu()
    rate = drain(site.app, count)
    return Drained(rate, (worker.cpu() - before[0]) * 1e4 / count, (site.cpu() - before[1]) * 1e4 / count)


def holding(without: Site, with_held: Site, held: int, count: int, rounds: int) -> list[Row]:
    """What many tasks cost that wait for their time: two workers on two brokers, drained in turns."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    for start in range(0, held, 1_000):
        numbers = range(start, min(start + 1_000, held))
        group(with_held.app.signature("quick", [number]).set(eta=ahead) for number in numbers).apply_async()
    sites = (without, with_held)
    with ExitStack() as stack:
        trees = [
            stack.enter_context(Tree("soaked", _OPTIONS, site.env, site.directory / "worker.log")) for site in sites
        ]
        found: list[list[Drained]] = [[], []]
        for site in sites:
            drain(site.app, 1_000)  # comes after those that wait, where they are all in one queue
        for number in range(rounds):
            for which in (0, 1) if number % 2 else (1, 0):
                found[which].append(drained(sites[which], trees[which], count))
        memory = [tree.pss_mib() for tree in trees]
    rates = statistics.median(has.rate / bare.rate for bare, has in zip(*found, strict=True))
    cpu = [[statistics.median(values) for values in zip(*each, strict=True)] for each in found]
    told = f"{memory[1]:.0f} MiB ({memory[0]:.0f} without)"
    rate = f"{cpu[1][0]:,.0f} a second, {rates:.2f} of that without"
    used = [f"{has:.2f} s ({bare:.2f})" for bare, has in zip(cpu[0][1:], cpu[1][1:], strict=True)]
    return [
        Row(f"memory with {held:,} held, PSS", told, "under 200 MiB", memory[1] < 200),
        Row("drain with these held", rate, "as without", rates > 0.85),
        Row("CPU per 10,000 with these held: worker", used[0], "", True),
        Row("the same: server", used[1], "", True),
    ]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "broker", nargs="?", default="sqlite", help="sqlite, redis or amqp (a server of its own), or amqp://..."
    )
    options.add_argument("--quorum", action="store_true", help="on RabbitMQ: quorum queues")
    options.add_argument("--only", choices=("moments", "held"), help="one half of it")
    options.add_argument("--held", type=int, default=100_000, help="tasks for an hour ahead")
    options.add_argument("--long", type=float, default=60, help="seconds of the long task")
    options.add_argument("--count", type=int, default=4_000, help="tasks of each drain")
    options.add_argument("--rounds", type=int, default=6, help="drains of each worker")
    given = options.parse_args()
    rows: list[Row] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        one, other = (
            stack.enter_context(Site(given.broker, directory / name, quorum=given.quorum)) for name in ("one", "other")
        )
        if given.only != "held":
            rows += moments(one, given.long)
        if given.only != "moments":
            rows += holding(one, other, given.held, given.count, given.rounds)
    print(f"## {given.broker.partition('://')[0]}\n")
    print("| | measured | promised | kept |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {row.measured} | {row.promised} | {'yes' if row.is_kept else 'NO'} |")
    return 0 if all(row.is_kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
