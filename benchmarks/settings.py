"""What an adapter is told, all through the environment."""

from __future__ import annotations

import os

#: The URL of the broker, and of the result store where results are on.
BROKER = os.environ.get("BENCH_BROKER", "")
STORE = os.environ.get("BENCH_STORE", BROKER)
#: That of the Redis server, where a peer keeps results there whatever its broker.
REDIS = os.environ.get("BENCH_REDIS", "")
RESULTS = os.environ.get("BENCH_RESULTS", "0") == "1"


def option(name: str, default: int) -> int:
    """An option of the case, e.g. option("prefetch", 4)."""
    return int(os.environ.get(f"BENCH_OPTION_{name.upper()}", default))
