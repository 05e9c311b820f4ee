"""What chains and chords cost: bytes of messages, and seconds, in Celery's form and in the short one.

    python benchmarks/canvas.py              # in memory, the worker in this process
    python benchmarks/canvas.py sqlite       # on a file in a temporary directory

A chain of n tasks has n messages; `bytes` are those of all of them, headers and bodies, as they leave for the broker.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celeriac import Celery, chain, chord
from celeriac.plugin import Middleware, hookimpl
from celeriac.protocol.json import dumps

CHAINS = (10, 100, 1_000)
CHORDS = (10, 100, 1_000, 10_000)


class Scales:
    """Weighs every message on its way out."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0

    def weigh(self, message: Any, call_next: Callable[[Any], Any]) -> Any:
        self.messages += 1
        self.bytes += len(message.body) + len(dumps(message.headers)) + len(dumps(message.properties))
        return call_next(message)

    def take(self) -> tuple[int, int]:
        found = self.messages, self.bytes
        self.messages = self.bytes = 0
        return found

    @hookimpl
    def celeriac_publish_middleware(self) -> list[Middleware]:
        return [Middleware(0, self.weigh, "scales")]


@contextmanager
def running(url: str, compat: bool) -> Iterator[tuple[Any, Scales]]:
    """An app with two tasks, and its worker in a thread."""
    app = Celery("canvas", broker=url, backend=url, task_protocol_compat=compat)
    scales = Scales()
    app.plugins.register(scales)

    @app.task(name="add")
    def add(x: int, y: int) -> int:
        return x + y

    @app.task(name="count")
    def count(values: list[int]) -> int:
        return len(values)

    ready = threading.Event()
    worker = app.Worker(pool="threads", concurrency=2, loglevel="WARNING", ready_callback=lambda _: ready.set())
    thread = threading.Thread(target=worker.start)
    thread.start()
    ready.wait()
    try:
        yield app, scales
    finally:
        worker.stop()
        thread.join()
        app.close()


def measure(url: str, compat: bool, most: int) -> None:
    form = "Celery's form" if compat else "short form"
    with running(url, compat) as (app, scales):
        add, count = app.tasks["add"], app.tasks["count"]
        shapes = [("chain", n, chain(add.s(1, 1), *(add.s(1) for _ in range(n - 1))), n + 1) for n in CHAINS]
        shapes += [("chord", n, chord([add.s(1, 1) for _ in range(n)], count.s()), n) for n in CHORDS]
        for kind, n, canvas, expected in shapes:
            if n > most:
                continue
            scales.take()
            begun = time.perf_counter()
            result = canvas.apply_async()
            sent = time.perf_counter()
            value = result.get(timeout=600)
            done = time.perf_counter()
            if value != expected:
                raise SystemExit(f"{kind} of {n} gave {value!r} instead of {expected}")
            messages, size = scales.take()
            print(
                f"{form:14} {kind:6} {n:6} {messages:7} messages {size:12,} bytes {size / n:10,.0f} per task"
                f" {sent - begun:8.3f} s to send {done - begun:8.3f} s in all"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", nargs="?", choices=("memory", "sqlite"), default="memory")
    parser.add_argument("--most", type=int, default=10_000, help="leave out what has more tasks")
    options = parser.parse_args()
    for compat in (True, False):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "canvas.db")
            url = f"sqlite:///{path}" if options.store == "sqlite" else f"memory://canvas-{compat}"
            measure(url, compat, options.most)


if __name__ == "__main__":
    main()
