"""What was measured, as Markdown: `python report.py FILE`."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

EMBEDDED, REDIS, AMQP = (f"celeriac/{broker}/prefork2" for broker in ("sqlite", "redis", "amqp"))
CELERY, CELERY_AMQP = (f"celery/{broker}/prefork2" for broker in ("redis", "amqp"))
DRAMATIQ, DRAMATIQ_AMQP = (f"dramatiq/{broker}/2x8" for broker in ("redis", "amqp"))
TASKIQ, TASKIQ_AMQP = (f"taskiq/{broker}/2" for broker in ("redis", "amqp"))
ON_REDIS = (DRAMATIQ, TASKIQ)
ON_AMQP = (DRAMATIQ_AMQP, TASKIQ_AMQP)


class Promise(NamedTuple):
    """`key` of `part` of our case, to that of the best of the others: the ratio is at least, or at most, the limit."""

    words: str
    ours: str
    part: str
    key: str
    others: tuple[str, ...]
    limit: float
    at_least: bool


#: What is promised.
PROMISES = (
    Promise("drain rate, results off", EMBEDDED, "off", "rate", (DRAMATIQ,), 1.0, True),
    Promise("drain rate, results off", EMBEDDED, "off", "rate", (CELERY,), 6.0, True),
    Promise("worker CPU per 10,000 tasks", EMBEDDED, "off", "worker_cpu_per_10k", (DRAMATIQ,), 1.0, False),
    Promise("round trip, p50", EMBEDDED, "life", "p50_ms", (CELERY,), 0.5, False),
    Promise("start to first task", EMBEDDED, "life", "start_s", (CELERY,), 1 / 3, False),
    Promise("memory of an idle worker (PSS)", EMBEDDED, "life", "pss_mib", (CELERY,), 0.8, False),
    Promise("drain rate, results off", REDIS, "off", "rate", ON_REDIS, 3.0, True),
    Promise("drain rate, results on", REDIS, "on", "rate", ON_REDIS, 3.0, True),
    Promise("worker CPU per 10,000 tasks", REDIS, "off", "worker_cpu_per_10k", ON_REDIS, 1 / 3, False),
    Promise("worker CPU per 10,000, results on", REDIS, "on", "worker_cpu_per_10k", ON_REDIS, 1 / 3, False),
    Promise("sending one by one", REDIS, "off", "enqueue_rate", (DRAMATIQ,), 1.5, True),
    Promise("sending groups of 1,000", REDIS, "bulk", "bulk_rate", (CELERY,), 10.0, True),
    Promise("round trip, p50", REDIS, "life", "p50_ms", (*ON_REDIS, CELERY), 1.0, False),
    Promise("drain rate, results off", AMQP, "off", "rate", ON_AMQP, 2.0, True),
    Promise("drain rate, results on", AMQP, "on", "rate", ON_AMQP, 2.0, True),
    Promise("round trip, p50", AMQP, "life", "p50_ms", (*ON_AMQP, CELERY_AMQP), 1.0, False),
)

#: How much longer a chord of 5,000 may take than one of 1,000.
CHORD_GROWTH = 6.0


def show(found: dict[str, Any]) -> None:
    print("\nEvery cell is the median of the rounds (lowest-highest).\n")
    columns = [("tasks/s, results off", "off", "rate", "{:,.0f}"), ("on", "on", "rate", "{:,.0f}")]
    columns += [("worker CPU s/10k, off", "off", "worker_cpu_per_10k", "{:.2f}")]
    columns += [
        ("on", "on", "worker_cpu_per_10k", "{:.2f}"),
        ("servers' CPU s/10k, off", "off", "server_cpu_per_10k", "{:.2f}"),
    ]
    columns += [("sent/s", "off", "enqueue_rate", "{:,.0f}"), ("lost or doubled", "off", "lost_or_doubled", "{:.0f}")]
    table(found, "drain", columns)
    columns = [("groups of 1,000, tasks/s", "bulk", "bulk_rate", "{:,.0f}")]
    columns += [(f"chord of {n:,}, s", "bulk", f"chord_{n}_s", "{:.2f}") for n in (1_000, 5_000)]
    table({name: case for name, case in found.items() if case["bulk"]}, "at once", columns)
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
        cells = [cell([run[key] for run in case[part] if key in run], form) for _, part, key, form in columns]
        print(f"| {name} | {case['n']:,} | " + " | ".join(cells) + " |")
    print()


def cell(values: list[float], form: str) -> str:
    if not values:
        return ""
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low}-{high})"


def noise(found: dict[str, Any]) -> None:
    runs = [run for case in found.values() for part in ("off", "on", "bulk", "life") for run in case[part]]
    if runs:
        loops, stolen = ([run[key] for run in runs] for key in ("loop_ms", "stolen_pct"))
        stolen_pct = cell(stolen, "{:.0f}")
        print(f"Noise: a fixed loop took {cell(loops, '{:.0f}')} ms, the host stole {stolen_pct} % of CPU time.\n")


def promises(found: dict[str, Any]) -> None:
    """Each promise and its ratio: the median of those of each round."""
    print("| promise | ours | against | ratio | promised | kept |")
    print("|---|---|---|---|---|---|")
    for promise in PROMISES:
        if ratios := against_the_best(found, promise):
            verdict(promise.words, promise.ours, " ".join(promise.others), ratios, promise.limit, promise.at_least)
    for name, case in found.items():
        if ratios := [run["chord_5000_s"] / run["chord_1000_s"] for run in case["bulk"] if "chord_5000_s" in run]:
            verdict("chord of 5,000", name, "chord of 1,000", ratios, CHORD_GROWTH, at_least=False)


def against_the_best(found: dict[str, Any], promise: Promise) -> list[float]:
    """A ratio a round, to the one of the others that did best in it; none where somebody was not measured."""
    runs = [found.get(name, {}).get(promise.part) for name in (promise.ours, *promise.others)]
    if not all(runs):
        return []
    best = max if promise.at_least else min
    rounds = ([run[promise.key] for run in turn] for turn in zip(*runs, strict=True))
    return [ours / best(others) for ours, *others in rounds]


def verdict(words: str, ours: str, against: str, ratios: list[float], limit: float, at_least: bool) -> None:
    ratio = statistics.median(ratios)
    kept = ratio >= limit if at_least else ratio <= limit
    sign = "at least" if at_least else "at most"
    print(f"| {words} | {ours} | {against} | {ratio:.2f} | {sign} {limit:.2f} | {'yes' if kept else 'NO'} |")


if __name__ == "__main__":
    show(json.loads(Path(sys.argv[1]).read_text()))
