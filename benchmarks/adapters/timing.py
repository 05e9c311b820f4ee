"""Shared by the adapters: time each call, in milliseconds, for a few seconds at most."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_SECONDS = 5


def each(n: int, call: Callable[[], object]) -> list[float]:
    taken: list[float] = []
    end = time.perf_counter() + MOST_SECONDS
    for _ in range(n):
        begun = time.perf_counter()
        call()
        now = time.perf_counter()
        taken.append((now - begun) * 1e3)
        if now > end:
            break
    return taken
