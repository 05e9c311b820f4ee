"""What was measured, as Markdown: `python report.py FILE`."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

OURS = "celeriac/sqlite/prefork2"
CELERY = "celery/redis/prefork2"
DRAMATIQ = "dramatiq/redis/2x8"

#: What is promised: words, part, measure, against whom, the limit, and whether the ratio must be at least that.
PROMISES = (
    ("drain rate, results off", "off", "rate", DRAMATIQ, 1.0, True),
    ("drain rate, results off", "off", "rate", CELERY, 6.0, True),
    ("worker CPU per 10,000 tasks", "off", "worker_cpu_per_10k", DRAMATIQ, 1.0, False),
    ("round trip, p50", "life", "p50_ms", CELERY, 0.5, False),
    ("start to first task", "life", "start_s", CELERY, 1 / 3, False),
    ("memory of an idle worker (PSS)", "life", "pss_mib", CELERY, 0.8, False),
)


def show(found: dict[str, Any]) -> None:
    print("\nEvery cell is the median of the rounds (lowest-highest).\n")
    columns = [("tasks/s, results off", "off", "rate", "{:,.0f}"), ("on", "on", "rate", "{:,.0f}")]
    columns += [("worker CPU s/10k, off", "off", "worker_cpu_per_10k", "{:.2f}")]
    columns += [
        ("on", "on", "worker_cpu_per_10k", "{:.2f}"),
        ("Redis CPU s/10k, off", "off", "redis_cpu_per_10k", "{:.2f}"),
    ]
    columns += [("sent/s", "off", "enqueue_rate", "{:,.0f}"), ("lost or doubled", "off", "lost_or_doubled", "{:.0f}")]
    table(found, "drain", columns)
    columns = [("p50 ms", "life", "p50_ms", "{:.2f}"), ("p99 ms", "life", "p99_ms", "{:.1f}")]
    columns += [("start s", "life", "start_s", "{:.2f}"), ("PSS MiB", "life", "pss_mib", "{:.0f}")]
    columns += [("processes", "life", "processes", "{:.0f}"), ("idle CPU %", "life", "idle_cpu_pct", "{:.1f}")]
    table(found, "life, results on", columns)
    noise(found)
    promises(found)


def table(found: dict[str, Any], title: str, columns: list[tuple[str, str, str, str]]) -> None:
    print(f"| {title} | n | " + " | ".join(column[0] for column in columns) + " |")
    print("|---|---|" + "---|" * len(columns))
    for name, case in found.items():
        cells = [cell([run[key] for run in case[part]], form) for _, part, key, form in columns]
        print(f"| {name} | {case['n']:,} | " + " | ".join(cells) + " |")
    print()


def cell(values: list[float], form: str) -> str:
    if not values:
        return ""
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low}-{high})"


def noise(found: dict[str, Any]) -> None:
    runs = [run for case in found.values() for part in ("off", "on", "life") for run in case[part]]
    if runs:
        loops, stolen = ([run[key] for run in runs] for key in ("loop_ms", "stolen_pct"))
        stolen_pct = cell(stolen, "{:.0f}")
        print(f"Noise: a fixed loop took {cell(loops, '{:.0f}')} ms, the host stole {stolen_pct} % of CPU time.\n")


def promises(found: dict[str, Any]) -> None:
    """Ours against each promise: the median of the ratios of each round."""
    print(f"| {OURS} | against | ratio | promised | kept |")
    print("|---|---|---|---|---|")
    for words, part, key, other, limit, at_least in PROMISES:
        if not all(found.get(name, {}).get(part) for name in (OURS, other)):
            continue
        pairs = zip(found[OURS][part], found[other][part], strict=True)
        ratio = statistics.median(ours[key] / theirs[key] for ours, theirs in pairs)
        kept = ratio >= limit if at_least else ratio <= limit
        sign = "at least" if at_least else "at most"
        print(f"| {words} | {other} | {ratio:.2f} | {sign} {limit:.2f} | {'yes' if kept else 'NO'} |")


if __name__ == "__main__":
    show(json.loads(Path(sys.argv[1]).read_text()))
