"""The producer, run in a peer's environment: `python client.py ADAPTER enqueue|bulk|gather|roundtrip N` prints JSON.

An adapter offers enqueue(n), roundtrip(n), which gives milliseconds, and may offer bulk(n) and gather(n).
"""

from __future__ import annotations

import importlib
import json
import sys
import time


def main() -> None:
    name, operation, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    adapter = importlib.import_module(f"adapters.{name}")
    if operation == "roundtrip":
        adapter.roundtrip(30)
        print(json.dumps({"ms": adapter.roundtrip(n)}))
        return
    adapter.enqueue(10)  # connections, lazy imports
    wall, cpu = time.perf_counter(), time.process_time()
    getattr(adapter, operation)(n)
    print(json.dumps({"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
