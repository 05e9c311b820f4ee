"""Time limits: an exception at the coroutine's await for the soft one, its cancellation for the hard one."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import SoftTimeLimitExceeded


async def sleep_or_not(job):
    match job.headers["task"]:
        case "sleep":
            await asyncio.sleep(30)
        case "in a timeout":
            async with asyncio.timeout(20):
                await asyncio.sleep(30)
        case "tidy":
            try:
                await asyncio.sleep(30)
            except SoftTimeLimitExceeded:
                await asyncio.sleep(0.01)
                return "tidied up"
        case "stubborn":
            while True:
                try:
                    await asyncio.sleep(30)
                except (SoftTimeLimitExceeded, asyncio.CancelledError):
                    continue
        case "stands still":
            time.sleep(60)
    return os.getpid()


def plain(job):
    if job.headers["task"] == "sleep":
        for _ in range(1000):
            time.sleep(0.02)
    return os.getpid()


@pytest.mark.parametrize("function", [sleep_or_not, plain], ids=["coroutine", "plain"])
def test_a_soft_limit_is_an_exception_in_the_task(driver, function):
    driver.start(function)
    limited, other = driver.submit(driver.job("sleep", timelimit=[None, 0.1]), driver.job())
    driver.until_reported([limited, other])
    assert driver.reports[limited].kind is OutcomeKind.FAILURE
    assert "SoftTimeLimitExceeded" in driver.reports[limited].detail
    assert driver.reports[limited].runtime >= 0.09  # it begins a moment after its limit does
    assert driver.reports[other].kind is OutcomeKind.SUCCESS


def test_a_coroutine_may_catch_its_soft_limit_and_go_on(driver):
    driver.start(sleep_or_not, soft_time_limit=0.1)
    (report,) = driver.until_reported(driver.submit(driver.job("tidy")))
    assert (report.kind, report.detail) == (OutcomeKind.SUCCESS, "'tidied up'")


def test_a_soft_limit_is_told_from_a_timeout_of_the_tasks_own(driver):
    driver.start(sleep_or_not, soft_time_limit=0.1)
    (report,) = driver.until_reported(driver.submit(driver.job("in a timeout")))
    assert "SoftTimeLimitExceeded" in report.detail


@pytest.mark.parametrize("function", [sleep_or_not, plain], ids=["coroutine", "plain"])
def test_a_hard_limit_ends_the_task_and_no_other(driver, function, caplog):
    pool = driver.start(function, children=1)
    limited, *others = driver.submit(driver.job("sleep", timelimit=[0.2, None]), *(driver.job() for _ in range(10)))
    driver.until_reported([limited, *others])
    assert driver.reports[limited].kind is OutcomeKind.HARD_TIME_LIMIT
    assert "TimeLimitExceeded(0.2)" in driver.reports[limited].detail
    assert {driver.reports[number].detail for number in others} == {str(pool.pids()[0])}


def test_a_coroutine_that_will_not_be_cancelled_is_given_up(driver):
    pool = driver.start(sleep_or_not, children=1, time_limit=0.2, soft_time_limit=0.1)
    pids = pool.pids()
    (report,) = driver.until_reported(driver.submit(driver.job("stubborn")))
    assert report.kind is OutcomeKind.HARD_TIME_LIMIT
    driver.until_reported(driver.submit(driver.job()))
    assert pool.pids() == pids


def test_a_child_whose_loop_stands_still_is_killed_for_the_limit(driver, monkeypatch, caplog):
    monkeypatch.setattr("celeriac_asyncio.pool.STUCK_AFTER", 0.3)
    pool = driver.start(sleep_or_not, children=1)
    (pid,) = pool.pids()
    limited, beside = driver.submit(driver.job("stands still", timelimit=[0.2, None]), driver.job("sleep"))
    driver.until_reported([limited, beside])
    assert driver.reports[limited].kind is OutcomeKind.HARD_TIME_LIMIT
    # The other one has run in the same process; it is lost, and not to blame.
    assert driver.reports[beside].kind is OutcomeKind.WORKER_LOST
    assert not driver.reports[beside].is_suspect
    assert "stands still" in caplog.text
    driver.until_reported(driver.submit(driver.job()))
    assert pid not in pool.pids()


def test_the_limits_of_a_message_beat_those_of_the_pool(driver):
    driver.start(sleep_or_not, soft_time_limit=20)
    (report,) = driver.until_reported(driver.submit(driver.job("sleep", timelimit=[None, 0.1])))
    assert "SoftTimeLimitExceeded" in report.detail
