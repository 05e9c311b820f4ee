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

PARTS = ("off", "on", "bulk", "life")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venvs", type=Path, required=True, help="the directory of the peers' environments")
    parser.add_argument("--out", type=Path, help="write the measurements there, as JSON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trips", type=int, default=1000, help="round trips a round")
    parser.add_argument("--n", type=int, help="tasks a drain, for all cases (a smoke test)")
    parser.add_argument("--only", nargs="*", help="cases, out of: " + ", ".join(cases.ALL))
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="celeriac-bench-")))
        wanted = chosen(options)
        # Some keep results in Redis whatever their broker.
        needed = sorted({"redis", *(case.broker for case in wanted)} & available())
        started = {name: stack.enter_context(servers.KINDS[name](tmp)) for name in needed}
        found = measured(Bench(options.venvs.absolute(), tmp, started), wanted, options)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    report.show(found)
    if any(run["lost_or_doubled"] for case in found.values() for run in (*case["off"], *case["on"])):
        sys.exit("tasks were lost or ran twice")


def available() -> set[str]:
    return {name for name, kind in servers.KINDS.items() if kind.available()}


def chosen(options: argparse.Namespace) -> list[cases.Case]:
    """The cases asked for, less those whose server is not installed here."""
    names = options.only or [case.name for case in cases.COMPARED]
    if unknown := set(names) - set(cases.ALL):
        sys.exit(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(cases.ALL)}")
    found = [cases.ALL[name] for name in names]
    missing = set(servers.KINDS) - available()
    for name in sorted(missing & {case.broker for case in found}):
        print(f"{servers.KINDS[name].program} is not installed: what needs it is left out", file=sys.stderr)
    return [case for case in found if case.broker not in missing]


def measured(bench: Bench, wanted: list[cases.Case], options: argparse.Namespace) -> dict[str, Any]:
    """Case to part to its measurements, one a round."""
    found: dict[str, Any] = {case.name: {"n": options.n or case.n, **{part: [] for part in PARTS}} for case in wanted}
    for turn in range(options.rounds):
        for part in options.parts:
            for case in wanted:
                if part == "bulk" and not case.bulk:
                    continue
                sized = cases.Case(**{**vars(case), "n": options.n or case.n})
                with Noise() as noise:
                    run = measure(bench, sized, part, options.trips)
                run |= {"loop_ms": noise.loop_ms, "stolen_pct": noise.stolen_pct}
                found[case.name][part].append(run)
                brief = " ".join(f"{key} {value:,.2f}" for key, value in run.items())
                print(f"{time.strftime('%H:%M:%S')} round {turn + 1} {case.name} {part}: {brief}", file=sys.stderr)
    return found


def measure(bench: Bench, case: cases.Case, part: str, trips: int) -> dict[str, Any]:
    """One measurement: "off" and "on" are drains without and with results."""
    if part == "life":
        return bench.life(case, trips)
    if part == "bulk":
        return bench.bulk(case)
    return bench.drain(case, part == "on")


if __name__ == "__main__":
    main()
