"""Compare task queues on this machine: `python compare.py --venvs DIR [--rounds 3] [--only NAME ...]`.

The cases take turns, so that a slow moment of the machine hits all of them; what counts are the ratios. One JSON file
holds every measurement, `report.py` prints it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cases
import report
import servers
from measures import Bench
from noise import Noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venvs", type=Path, required=True, help="the directory of the peers' environments")
    parser.add_argument("--out", type=Path, help="write the measurements there, as JSON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trips", type=int, default=1000, help="round trips a round")
    parser.add_argument("--n", type=int, help="tasks a drain, for all cases (a smoke test)")
    parser.add_argument("--only", nargs="*", help="cases, out of: " + ", ".join(cases.ALL))
    parser.add_argument("--parts", nargs="*", choices=["off", "on", "life"], default=["off", "on", "life"])
    options = parser.parse_args()
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="celeriac-bench-")))
        redis = stack.enter_context(servers.Redis(tmp)) if servers.available() else None
        if redis is None:
            print("redis-server is not installed: only the embedded queue is measured", file=sys.stderr)
        bench = Bench(options.venvs.absolute(), tmp, redis)
        found = measured(bench, chosen(options, redis is not None), options)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    report.show(found)
    if any(run["lost_or_doubled"] for case in found.values() for run in (*case["off"], *case["on"])):
        sys.exit("tasks were lost or ran twice")


def chosen(options: argparse.Namespace, with_redis: bool) -> list[cases.Case]:
    names = options.only or [case.name for case in cases.COMPARED]
    if unknown := set(names) - set(cases.ALL):
        sys.exit(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(cases.ALL)}")
    found = [cases.ALL[name] for name in names]
    return [case for case in found if with_redis or case.broker != "redis"]


def measured(bench: Bench, wanted: list[cases.Case], options: argparse.Namespace) -> dict[str, Any]:
    """Case to part to its measurements, one a round."""
    found: dict[str, Any] = {case.name: {"n": options.n or case.n, "off": [], "on": [], "life": []} for case in wanted}
    for turn in range(options.rounds):
        for part in options.parts:
            for case in wanted:
                sized = cases.Case(**{**vars(case), "n": options.n or case.n})
                with Noise() as noise:
                    run = bench.life(sized, options.trips) if part == "life" else bench.drain(sized, part == "on")
                run |= {"loop_ms": noise.loop_ms, "stolen_pct": noise.stolen_pct}
                found[case.name][part].append(run)
                brief = " ".join(f"{key} {value:,.2f}" for key, value in run.items())
                what = "life" if part == "life" else f"drain, results {part}"
                print(f"{time.strftime('%H:%M:%S')} round {turn + 1} {case.name} {what}: {brief}", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()
