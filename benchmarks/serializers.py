"""How fast JSON is written and read, by the kernel and by orjson: ``python benchmarks/serializers.py``."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celeriac.protocol import json
from celeriac_orjson.serializer import OrjsonSerializer

EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
LINES = [
    {"sku": f"SKU-{number}", "qty": number, "price": number * 1.25, "note": "some text of a line"}
    for number in range(12)
]
ROWS = [
    {"id": number, "name": f"name {number}", "value": number / 7, "ok": True, "tags": ["a", "b"]}
    for number in range(1000)
]
BODIES = {
    "two integers": [[2, 3], {}, EMBED],
    "an order": [[], {"order": {"id": 12345, "customer": "Jane Doe", "lines": LINES}}, EMBED],
    "1000 rows": [[ROWS], {}, EMBED],
    "with a date": [[datetime.now(UTC), 1], {}, EMBED],
}


def best(function: Callable[[Any], Any], argument: Any, number: int) -> float:
    """Microseconds of one call, in the fastest of nine rounds."""
    return min(timeit.repeat(lambda: function(argument), number=number, repeat=9)) / number * 1e6


def main() -> None:
    fast = OrjsonSerializer()
    print("| body | bytes | | kernel µs | orjson µs | times |")
    print("|---|---|---|---|---|---|")
    for name, body in BODIES.items():
        data = json.dumps(body)
        number = max(20, 2_000_000 // (100 + len(data)))
        for what, slow, quick, argument in (
            ("write", json.dumps, fast.dumps, body),
            ("read", json.loads, fast.loads, data),
        ):
            kernel, orjson = best(slow, argument, number), best(quick, argument, number)
            print(f"| {name} | {len(data)} | {what} | {kernel:.1f} | {orjson:.1f} | {kernel / orjson:.1f} |")


if __name__ == "__main__":
    main()
