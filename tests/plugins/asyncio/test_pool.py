"""Many at once, each with its own context, and nothing lost when children end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from contextvars import ContextVar

from celeriac.contracts.backend import StoredResult
from celeriac.contracts.chords import Deposit
from celeriac.contracts.outcome import OutcomeKind

seen = ContextVar("seen", default=0)


async def act(job):
    match job.headers["task"]:
        case "nap":
            await asyncio.sleep(0.3)
        case "hang":
            await asyncio.sleep(60)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def test_all_of_a_childs_coroutines_run_at_once(driver):
    pool = driver.start(act, concurrency=400)
    driver.until_reported(driver.submit(driver.job()))
    begun = time.monotonic()
    reports = driver.until_reported(driver.submit(*(driver.job("nap") for _ in range(400))))
    # One after the other they would take two minutes.
    assert time.monotonic() - begun < 5
    assert Counter(report.detail for report in reports) == {str(pid): 200 for pid in pool.pids()}


def test_each_task_has_a_context_of_its_own(driver):
    async def act(job):
        before = seen.get()
        seen.set(job.number)
        await asyncio.sleep(0.02)
        return before, seen.get() == job.number

    driver.start(act)
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(20))))
    assert {report.detail for report in reports} == {"(0, True)"}


def test_plain_functions_run_beside_coroutines_and_hold_up_no_loop(driver):
    def where():
        return "loop" if threading.current_thread() is threading.main_thread() else "thread"

    async def act(job):
        await asyncio.sleep(0.01)
        return where()

    def act_plainly(job):
        time.sleep(0.5)
        return where()

    class Both(driver.executor_class):
        def awaits(self, job):
            return job.headers["task"] != "plain"

        def run(self, job):
            return driver.executor_class(act_plainly).run(job)

    driver.start(executor=lambda: Both(act), children=1)
    plain = driver.submit(driver.job("plain"), driver.job("plain"))
    coroutines = driver.submit(*(driver.job() for _ in range(10)))
    assert {report.detail for report in driver.until_reported(coroutines)} == {"'loop'"}
    assert not driver.reports.keys() & set(plain)
    assert {report.detail for report in driver.until_reported(plain)} == {"'thread'"}


def test_results_are_stored_by_a_thread_while_the_loop_turns(driver):
    async def act(job):
        await asyncio.sleep(0.05)
        return time.monotonic()

    class Stores(driver.executor_class):
        async def run_async(self, job):
            report = await super().run_async(job)
            return report._replace(stored=Deposit([StoredResult(str(job.number), "SUCCESS", None)], []))

        def flush(self, reports):
            time.sleep(0.5)  # a store that takes its time
            return [report._replace(stored=None) for report in reports]

    driver.start(executor=lambda: Stores(act), children=1)
    first = driver.submit(driver.job())
    driver.until(driver.pool.active)
    reports = driver.until_reported([*first, *driver.submit(*(driver.job() for _ in range(5)))])
    ends = [float(report.detail) for report in reports]
    # The second lot ended while the result of the first was being stored.
    assert max(ends) - min(ends) < 0.45
    assert all(report.stored is None for report in reports)


def test_of_a_child_that_dies_all_is_told_and_the_others_go_on(driver):
    pool = driver.start(act)
    driver.until_reported(driver.submit(driver.job()))
    hanging = driver.submit(*(driver.job("nap") for _ in range(10)))
    (deadly,) = driver.submit(driver.job("die"))
    reports = dict(zip([*hanging, deadly], driver.until_reported([*hanging, deadly]), strict=True))
    assert reports[deadly].kind is OutcomeKind.WORKER_LOST
    assert reports[deadly].is_suspect
    kinds = Counter(report.kind for report in reports.values())
    assert kinds == {OutcomeKind.WORKER_LOST: 6, OutcomeKind.SUCCESS: 5}
    driver.until(lambda: len(pool.pids()) == 2)


def test_a_child_that_has_done_its_share_is_replaced_and_drops_nothing(driver):
    driver.start(act, max_tasks_per_child=25)
    numbers = []
    for _ in range(20):
        numbers += driver.submit(*(driver.job() for _ in range(10)))
        driver.until_reported(numbers)
    assert {report.kind for report in driver.reports.values()} == {OutcomeKind.SUCCESS}
    assert len({report.detail for report in driver.reports.values()}) >= 4


def test_stopping_lets_coroutines_end(driver):
    pool = driver.start(act)
    driver.until_reported(driver.submit(driver.job()))
    pool.stop()
    assert pool.pids() == []
