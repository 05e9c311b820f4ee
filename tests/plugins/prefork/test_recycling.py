"""Children that have done enough are replaced, and nothing is dropped on the way."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter

from celeriac.contracts.outcome import OutcomeKind
from celeriac.pools.allowance import peak_memory


def memory_of_a_new_child():
    """KiB: a fork begins with what is resident now, whatever this process has had before."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize() // 1024
    except FileNotFoundError:  # not Linux
        return peak_memory()


def test_a_child_runs_its_share_of_tasks_and_is_replaced(driver):
    driver.start(lambda job: os.getpid(), max_tasks_per_child=10)
    numbers = []
    for _ in range(4):
        numbers += driver.submit(*(driver.job(body=bytes(100_000 if n % 7 == 0 else 10)) for n in range(100)))
        driver.until_reported(numbers)
    reports = driver.until_reported(numbers)
    assert {report.kind for report in reports} == {OutcomeKind.SUCCESS}
    shares = Counter(report.detail for report in reports)
    assert max(shares.values()) == 10
    assert len(shares) >= 40


def test_a_child_that_has_grown_too_big_is_replaced_after_its_task(driver):
    def act(job):
        if job.headers["task"] == "big":
            bytearray(150 * 1024 * 1024)
        return os.getpid()

    pool = driver.start(act, concurrency=1, max_memory_per_child=memory_of_a_new_child() + 50 * 1024)
    driver.until_ready()
    numbers = driver.submit(driver.job(), driver.job("big"), driver.job(), driver.job())
    pids = [report.detail for report in driver.until_reported(numbers)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert {report.kind for report in driver.reports.values()} == {OutcomeKind.SUCCESS}
    # Its successor starts before the big one has closed, so that one may still be on its way out.
    driver.until(lambda: pool.pids() == [int(pids[-1])], message="only the successor is left")


def test_a_replacement_starts_before_the_old_child_has_closed(driver, tmp_path):
    class SlowToClose(driver.executor_class):
        def close(self, exitcode=0):
            time.sleep(30)

    pool = driver.start(
        executor=lambda: SlowToClose(lambda job: os.getpid(), None), concurrency=1, max_tasks_per_child=1
    )
    reports = driver.until_reported(driver.submit(driver.job(), driver.job()), timeout=5)
    assert len({report.detail for report in reports}) == 2
    assert pool.room() > 0


def test_a_memory_limit_below_what_a_new_child_has_is_pointed_out(driver, caplog):
    driver.start(lambda job: os.getpid(), max_memory_per_child=1024)
    assert "max_memory_per_child is 1024 KiB" in caplog.text
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(10))))
    assert len({report.detail for report in reports}) == 10
