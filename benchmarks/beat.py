"""Ten thousand entries: how late due ones are sent, what beat costs while nothing is due, how long a failover takes.

``python benchmarks/beat.py [--entries 10000] [--seconds 20] [--store redis://127.0.0.1:6379/9]``
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from celeriac import Celery
from celeriac.beat import PersistentScheduler, Scheduler, Service, StoreScheduler
from celeriac.beat.stored import StoredSchedule

#: A plain timer: sleeps from moment to moment, and writes by how many seconds it was late.
TIMER = """
import sys, time
end = time.monotonic() + float(sys.argv[1])
while (due := time.monotonic() + 0.01) < end:
    time.sleep(0.01)
    print(time.monotonic() - due)
"""

QUEUE = f"beat-bench-{uuid4().hex[:8]}"


class Lateness(Scheduler):
    """Notes how late each entry is sent to the broker."""

    late: list[float]

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        result = super().apply_async(entry, *args, **kwargs)
        due = entry.schedule.next_after(entry.last_run_at)
        self.late.append((datetime.now(UTC) - due).total_seconds())
        return result


class PersistentLateness(Lateness, PersistentScheduler):
    """The same with a file."""


class StoreLateness(Lateness, StoreScheduler):
    """The same with a store."""


def app_with(entries: int, every: float, store: str) -> Celery:
    """An app with so many entries."""
    app = Celery(f"beat-bench-{uuid4().hex[:8]}", broker=store, backend=store, set_as_current=False)
    options = {"queue": QUEUE, "expires": 60}
    app.conf.beat_schedule = {
        f"entry-{number}": {"task": "t", "schedule": every, "kwargs": {"n": number}, "options": options}
        for number in range(entries)
    }
    return app


def measure(
    kind: type[Lateness], app: Celery, every: float, seconds: float, home: str
) -> tuple[list[float], float, list[float]]:
    """Lateness of all that was sent, in seconds; the share of a core that beat took; lateness of a plain timer."""
    scheduler = kind(app, schedule_filename=f"{home}/schedule-{uuid4().hex}")
    scheduler.late = []
    app.send_task("t", queue=QUEUE)  # connected, and all imported
    scheduler.tick()
    now = datetime.now(UTC).timestamp()
    for entry in scheduler.schedule.values():
        entry.last_run_at = datetime.fromtimestamp(now - random.uniform(0, every), UTC)
    scheduler.populate_heap()
    scheduler.tick()
    scheduler.late.clear()
    timer = subprocess.Popen([sys.executable, "-c", TIMER, str(seconds)], stdout=subprocess.PIPE, text=True)
    cpu, monotonic_end = time.process_time(), time.monotonic() + seconds
    while (left := monotonic_end - time.monotonic()) > 0:
        scheduler.wait(min(scheduler.tick(), left))
    share = (time.process_time() - cpu) / seconds
    scheduler.close()
    told, _ = timer.communicate()
    return scheduler.late, share, [float(line) for line in told.split()]


def failover(app: Celery, kills: int) -> list[float]:
    """Seconds between the death of a leader and the next run, with another beat that waits to lead."""
    app.conf.beat_schedule["often"] = {"task": "t", "schedule": 0.1, "options": {"queue": QUEUE, "expires": 60}}
    stored = StoredSchedule(app)
    beats = [_beat(app)]
    _until_it_runs(stored)
    beats.append(_beat(app))
    pauses = []
    for _ in range(kills):
        _until_it_runs(stored)
        time.sleep(5)  # the one that waits has read all
        os.kill(beats[0], signal.SIGKILL)
        os.waitpid(beats[0], 0)
        monotonic_killed = time.monotonic()
        _until_it_runs(stored)
        pauses.append(time.monotonic() - monotonic_killed)
        beats = [beats[1], _beat(app)]
    for pid in beats:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return pauses


def _beat(app: Celery) -> int:
    pid = os.fork()
    if pid == 0:
        Service(app, scheduler_cls="celeriac.beat:StoreScheduler").start()
    return pid


def _until_it_runs(stored: StoredSchedule) -> None:
    def runs() -> int:
        state = stored.states(["often"]).get("often")
        return 0 if state is None else state.total_run_count

    before = runs()
    while runs() == before:
        time.sleep(0.02)


@contextmanager
def cleaned(app: Celery) -> Iterator[Celery]:
    """Leave nothing of the schedule and the queue behind."""
    try:
        yield app
    finally:
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(QUEUE)
        if not app.backend.as_uri().startswith("memory"):
            stored = StoredSchedule(app)
            names = list(stored.changes())
            for name in names:
                stored.remove(name)
            stored.store.remove_members(stored.channel, names)
        app.close()


def _shown(late: list[float], share: float, timer: list[float]) -> str:
    shown = f"{len(late)} sent{_late(late)}, {share:.1%} of a core"
    return f"{shown}; a plain timer{_late(timer)}"


def _late(late: list[float]) -> str:
    if len(late) < 2:
        return ""
    worst = statistics.quantiles(late, n=100, method="inclusive")[-1] * 1000
    return (
        f", late by {statistics.median(late) * 1000:.1f} ms (median), {worst:.1f} (99 %), {max(late) * 1000:.1f} (most)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--store", action="append", default=[])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        file = f"sqlite:///{Path(home) / 'queue.db'}"
        kinds: list[tuple[str, type[Lateness], str]] = [
            ("no store", Lateness, "memory://beat"),
            ("persistent", PersistentLateness, "memory://beat"),
            *((f"store on {url.partition(':')[0]}", StoreLateness, url) for url in [file, *given.store]),
        ]
        for name, kind, url in kinds:
            for said, every in (("each every 100 s", 100.0), ("each every 24 h", 86_400.0)):
                with cleaned(app_with(given.entries, every, url)) as app:
                    measured = measure(kind, app, every, given.seconds, home)
                print(f"{name}, {given.entries} entries, {said}: {_shown(*measured)}", flush=True)
            if kind is StoreLateness and given.kills:
                with cleaned(app_with(given.entries, 100.0, url)) as app:
                    pauses = failover(app, given.kills)
                print(f"{name}, failover: {', '.join(f'{pause:.1f} s' for pause in pauses)}", flush=True)


if __name__ == "__main__":
    main()
