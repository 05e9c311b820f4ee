"""What the benchmarks conclude from what they have measured, and how they count."""

from __future__ import annotations

import json
import sys

import pytest


@pytest.fixture
def benchmarks(pytestconfig):
    return pytestconfig.rootpath / "benchmarks"


def measured(rate, **life):
    drain = {"rate": rate, "worker_cpu_per_10k": 1.0, "server_cpu_per_10k": 0.1, "enqueue_rate": 9.0}
    drain |= {"lost_or_doubled": 0, "loop_ms": 30.0, "stolen_pct": 0.0}
    lived = {"p50_ms": 1.0, "p99_ms": 2.0, "start_s": 1.0, "pss_mib": 50.0, "processes": 3, "idle_cpu_pct": 0.0}
    lived |= {"loop_ms": 30.0, "stolen_pct": 0.0, **life}
    return {"n": 100, "off": [drain] * 2, "on": [drain] * 2, "bulk": [], "life": [lived] * 2}


def test_the_report_says_which_promises_are_kept(benchmarks, spawn, tmp_path):
    # Given measurements in which we are faster than Dramatiq, slower than promised against Celery, and as big
    found = {
        "celeriac/sqlite/prefork2": measured(4_000, p50_ms=0.4, start_s=0.2),
        "dramatiq/redis/2x8": measured(2_000),
        "celery/redis/prefork2": measured(1_000),
    }
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(found))

    # When they are reported, then each promise has its verdict
    report = spawn(sys.executable, "report.py", file, cwd=benchmarks)
    assert report.wait() == 0, report.output()
    ours = "celeriac/sqlite/prefork2"
    assert f"| drain rate, results off | {ours} | dramatiq/redis/2x8 | 2.00 | at least 1.00 | yes |" in report.output()
    assert (
        f"| drain rate, results off | {ours} | celery/redis/prefork2 | 4.00 | at least 6.00 | NO |" in report.output()
    )
    assert f"| round trip, p50 | {ours} | celery/redis/prefork2 | 0.40 | at most 0.50 | yes |" in report.output()
    memory = "memory of an idle worker (PSS)"
    assert f"| {memory} | {ours} | celery/redis/prefork2 | 1.00 | at most 0.80 | NO |" in report.output()


def test_a_promise_against_several_is_held_against_the_best_of_them_and_only_where_all_were_measured(
    benchmarks, spawn, tmp_path
):
    # Given us on Redis at three times the one and twice the other, and on RabbitMQ without one of the others
    found = {
        "celeriac/redis/prefork2": measured(6_000),
        "dramatiq/redis/2x8": measured(2_000),
        "taskiq/redis/2": measured(3_000),
        "celeriac/amqp/prefork2": measured(6_000),
        "dramatiq/amqp/2x8": measured(1_000),
    }
    found["celeriac/redis/prefork2"]["bulk"] = [{"chord_1000_s": 1.0, "chord_5000_s": 7.0, "loop_ms": 1.0}]
    found["celeriac/redis/prefork2"]["bulk"][0] |= {"bulk_rate": 9_000, "stolen_pct": 0.0}
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(found))

    # When they are reported
    report = spawn(sys.executable, "report.py", file, cwd=benchmarks)
    assert report.wait() == 0, report.output()

    # Then the better one counts, nothing is said of RabbitMQ, and chords are held against each other
    ours, others = "celeriac/redis/prefork2", "dramatiq/redis/2x8 taskiq/redis/2"
    assert f"| drain rate, results off | {ours} | {others} | 2.00 | at least 3.00 | NO |" in report.output()
    assert f"| chord of 5,000 | {ours} | chord of 1,000 | 7.00 | at most 6.00 | NO |" in report.output()
    assert "| celeriac/amqp/prefork2 | dramatiq" not in report.output()


def test_the_probe_counts_in_every_process_and_thread(benchmarks, spawn, tmp_path):
    program = f"""
import os, threading
from pathlib import Path
import probe

os.environ["BENCH_SLOTS"] = str(probe.create(Path({str(tmp_path)!r}, "slots")))
probe.touch()
thread = threading.Thread(target=probe.touch)
thread.start()
thread.join()
child = os.fork()
if not child:
    probe.touch()
    probe.touch()
    os._exit(0)
os.waitpid(child, 0)
print("counted", probe.Reader(Path(os.environ["BENCH_SLOTS"])).read()[0])
"""
    counting = spawn(sys.executable, "-c", program, cwd=benchmarks)
    assert counting.wait() == 0, counting.output()
    assert "counted 4" in counting.output()


@pytest.mark.slow
def test_the_soak_accounts_for_every_task(benchmarks, spawn):
    # When a few seconds of mixed load have passed
    soak = spawn(sys.executable, "soak.py", "--minutes", "0.1", "--rate", "50", cwd=benchmarks)
    soak.wait(50)

    # Then each task has ended as it should; what six seconds say of memory is another matter
    rows = [line.split(" | ") for line in soak.output().splitlines() if line.startswith("| ")]
    ends = {row[0].removeprefix("| "): row[1:] for row in rows if len(row) == 5 and row[1] != "sent"}
    assert list(ends) == ["quick", "slow", "retries", "fails", "soft", "hard"], soak.output()
    for sent, right, *other in ends.values():
        assert sent == right != "0"
        assert other == ["0", "0 |"]


def test_growth_and_loss_are_told_of(benchmarks, spawn):
    program = """
import random
from collections import Counter
import soak

load = soak.Load(None, random.Random(1))
load.sent, load.ended = Counter(quick=3), Counter(quick=2)
load.outstanding["id"] = "quick"
rising = [100.0] * 20 + [float(100 + number) for number in range(80)]
looks = soak.Looks(rising, [50.0] * 100, [9] * 90 + [10] * 10)
print("kept:", soak.report(load, looks, 100, 1))
looks = soak.Looks([100.0] * 100, [50.0] * 100, [9] * 100)
load.outstanding.clear()
print("kept:", soak.report(load, looks, 100, 1))
"""
    done = spawn(sys.executable, "-c", program, cwd=benchmarks)
    assert done.wait() == 0, done.output()
    first, second = done.output().split("kept: ")[:2]
    assert "| quick | 3 | 2 | 0 | 1 |" in first
    assert "| main process, RSS MiB | 109.5 | 169.5 | +54.8% | under 2 % | NO |" in first
    assert "| all processes, PSS MiB | 50.0 | 50.0 | +0.0% | under 2 % | yes |" in first
    assert second.startswith("False")
    assert done.output().strip().endswith("kept: True")
