"""Ten thousand entries: how late due ones are sent, and what beat costs while nothing is due.

``python benchmarks/beat.py [--entries 10000] [--seconds 20]``
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from datetime import UTC, datetime
from typing import Any

from celeriac import Celery
from celeriac.beat import Scheduler


class Lateness(Scheduler):
    """Notes how late each entry is sent to the broker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.late: list[float] = []
        super().__init__(*args, **kwargs)

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> Any:
        result = super().apply_async(entry, *args, **kwargs)
        due = entry.schedule.next_after(entry.last_run_at)
        self.late.append((datetime.now(UTC) - due).total_seconds())
        return result


def measure(entries: int, every: float, seconds: float) -> tuple[list[float], float]:
    """Lateness of all that was sent, and the share of a core that beat took, both in seconds."""
    app = Celery("beat-bench", broker="memory://beat", backend="memory://beat", set_as_current=False)
    app.conf.beat_schedule = {
        f"entry-{number}": {"task": "t", "schedule": every, "kwargs": {"n": number}} for number in range(entries)
    }
    scheduler = Lateness(app)
    now = datetime.now(UTC).timestamp()
    for entry in scheduler.schedule.values():
        entry.last_run_at = datetime.fromtimestamp(now - random.uniform(0, every), UTC)
    app.send_task("t")  # connected, and all imported
    scheduler.tick()
    scheduler.late.clear()
    cpu, monotonic_end = time.process_time(), time.monotonic() + seconds
    while (left := monotonic_end - time.monotonic()) > 0:
        scheduler.wait(min(scheduler.tick(), left))
    return scheduler.late, (time.process_time() - cpu) / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    for name, every in (("each every 100 s", 100.0), ("each every 24 h", 86_400.0)):
        late, share = measure(given.entries, every, given.seconds)
        shown = f"{len(late)} sent"
        if len(late) > 1:
            worst = statistics.quantiles(late, n=100)[-1] * 1000
            shown += f", late by {statistics.median(late) * 1000:.1f} ms (median), {worst:.1f} ms (99 %), "
            shown += f"{max(late) * 1000:.1f} ms (most)"
        print(f"{given.entries} entries, {name}: {shown}, {share:.1%} of a core")


if __name__ == "__main__":
    main()
