"""How steady the machine is: compare runs only where this is alike."""

from __future__ import annotations

import time

import psutil


class Noise:
    """In use as a context: a fixed loop's time before, and the share of busy CPU time stolen by the host during."""

    def __enter__(self) -> Noise:
        begun, total = time.perf_counter(), 0
        for number in range(1_000_000):
            total += number
        self.loop_ms = (time.perf_counter() - begun) * 1e3
        self._before = psutil.cpu_times()
        return self

    def __exit__(self, *_: object) -> None:
        before, after = self._before, psutil.cpu_times()
        idle = after.idle - before.idle + after.iowait - before.iowait
        self.stolen_pct = 100 * (after.steal - before.steal) / max(sum(after) - sum(before) - idle, 0.01)
