"""A worker under a mixed load for a long time: what leaks, and what is lost.

    python benchmarks/soak.py                                # five minutes on the embedded queue
    python benchmarks/soak.py --minutes 60 --broker redis    # an hour, on a Redis server of its own

One task in a hundred fails, one is tried again, one runs into a time limit (soft and hard in turns); the rest is quick,
or sleeps for up to 20 ms and is acknowledged late.  Each result is read, compared with what it must be, and removed.
Memory and open files are those after the warm-up, which is the first fifth of the time, and those of the last fifth.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tree import Tree

#: Growth of memory that is allowed.
_MOST_GROWTH = 0.02
#: Seconds between two looks at the worker's processes.
_LOOK = 1.0
#: Seconds that the last tasks have to end.
_PATIENCE = 60.0
_EXPECTED = {
    "quick": "SUCCESS",
    "slow": "SUCCESS",
    "retries": "SUCCESS",
    "fails": "ValueError",
    "soft": "SoftTimeLimitExceeded",
    "hard": "TimeLimitExceeded",
}


@dataclass
class Load:
    """What was sent, and what has become of it."""

    app: Any
    chance: random.Random
    sent: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    outstanding: dict[str, str] = field(default_factory=dict)
    kinds: Any = None

    def __post_init__(self) -> None:
        # Exactly one in a hundred of each, in an order that is not that of a clock.
        block = ["fails", "retries", "limit"] + ["slow"] * 30 + ["quick"] * 67
        limits = itertools.cycle(["soft", "hard"])

        def endless() -> Any:
            while True:
                self.chance.shuffle(block)
                for kind in block:
                    yield next(limits) if kind == "limit" else kind

        self.kinds = endless()

    def send(self) -> None:
        kind = next(self.kinds)
        number = sum(self.sent.values())
        args = {"quick": [number], "slow": [number, self.chance.uniform(0, 0.02)], "retries": [number]}.get(kind, [])
        self.outstanding[self.app.send_task(kind, args).id] = kind
        self.sent[kind] += 1

    def account(self, most: int = 2_000) -> None:
        """Read the results of those that were sent first, and forget those that have ended."""
        found = self.app.backend.fetch(list(itertools.islice(self.outstanding, most)))
        done = []
        for task_id, meta in found.items():
            if meta["status"] in ("SUCCESS", "FAILURE", "REVOKED"):
                kind = self.outstanding.pop(task_id)
                result = meta["result"]
                became = result["exc_type"] if meta["status"] == "FAILURE" else meta["status"]
                self.ended[kind] += 1
                if became != _EXPECTED[kind]:
                    self.wrong.append((kind, became))
                done.append(task_id)
        if done:
            self.app.backend.delete(done)


@dataclass
class Looks:
    """What the worker used, look by look."""

    rss: list[float] = field(default_factory=list)
    pss: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def take(self, worker: Tree) -> None:
        self.rss.append(worker.rss_mib())
        self.pss.append(worker.pss_mib())
        self.files.append(worker.files())

    def fifths(self, values: list[Any]) -> tuple[float, float]:
        """The medians after the warm-up, and at the end."""
        fifth = max(len(values) // 5, 1)
        return statistics.median(values[fifth : 2 * fifth]), statistics.median(values[-fifth:])


def soak(worker: Tree, load: Load, seconds: float, rate: float) -> Looks:
    looks = Looks()
    began = time.monotonic()
    sent, looked = 0, began
    while (passed := time.monotonic() - began) < seconds:
        while sent < passed * rate:
            load.send()
            sent += 1
        if time.monotonic() - looked >= _LOOK:
            looked = time.monotonic()
            looks.take(worker)
            load.account()
        time.sleep(0.02)
    deadline = time.monotonic() + _PATIENCE
    while load.outstanding and time.monotonic() < deadline:
        load.account()
        time.sleep(0.1)
    return looks


def report(load: Load, looks: Looks, seconds: float, rate: float) -> bool:
    """Print what was found; whether all promises are kept."""
    print("| task | sent | ended as it should | otherwise | without an end |")
    print("|---|---|---|---|---|")
    wrong, missing = Counter(kind for kind, _ in load.wrong), Counter(load.outstanding.values())
    for kind in _EXPECTED:
        print(
            f"| {kind} | {load.sent[kind]:,} | {load.ended[kind] - wrong[kind]:,} | {wrong[kind]} | {missing[kind]} |"
        )
    print()
    kept = not load.wrong and not load.outstanding
    print("| | after the warm-up | at the end | growth | promised | kept |")
    print("|---|---|---|---|---|---|")
    for name, values in (("main process, RSS MiB", looks.rss), ("all processes, PSS MiB", looks.pss)):
        before, after = looks.fifths(values)
        growth = after / before - 1
        is_kept = growth < _MOST_GROWTH
        kept = kept and is_kept
        print(f"| {name} | {before:.1f} | {after:.1f} | {growth:+.1%} | under 2 % | {'yes' if is_kept else 'NO'} |")
    before, after = looks.fifths(looks.files)
    kept = kept and before == after
    verdict = "yes" if before == after else "NO"
    print(f"| open files of the main process | {before:g} | {after:g} | {after - before:+g} | 0 | {verdict} |")
    print(f"\n{sum(load.sent.values()):,} tasks in {seconds:g} s, {rate:g} a second; wrong: {load.wrong[:5]}")
    return kept


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--rate", type=float, default=100, help="tasks a second")
    options.add_argument("--broker", default="sqlite", help="sqlite, redis (a server of its own), or a URL")
    options.add_argument("--pool", default="prefork")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = given.broker
        if url == "sqlite":
            url = f"sqlite:///{directory / 'queue.db'}"
        elif url == "redis":
            from servers import Redis

            url = stack.enter_context(Redis(directory)).url
        return run(given, directory, url)


def run(given: argparse.Namespace, directory: Path, url: str) -> int:
    settings: dict[str, Any] = {"broker_url": url, "result_backend": url}
    if url.startswith("amqp"):
        settings["task_default_queue"] = f"soak-{os.getpid()}"
        settings["result_backend"] = f"sqlite:///{directory / 'results.db'}"
    os.environ["SOAK_SETTINGS"] = json.dumps(settings)
    from soaked import app

    load = Load(app, random.Random(given.seed))
    seconds = given.minutes * 60
    with Tree("soaked", ["-P", given.pool, "-c", "4"], {}, directory / "worker.log") as worker:
        looks = soak(worker, load, seconds, given.rate)
    if url.startswith("amqp"):
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(app.conf.task_default_queue)
    print(f"## {given.broker.partition('://')[0]}, {given.pool}, {given.minutes:g} minutes\n")
    return 0 if report(load, looks, seconds, given.rate) else 1


if __name__ == "__main__":
    sys.exit(main())
