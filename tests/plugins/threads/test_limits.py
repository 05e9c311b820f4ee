"""Time limits, as far as a thread can have them."""

from __future__ import annotations

import threading
import time

from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import SoftTimeLimitExceeded


def compute(job):
    """Python code that runs for up to 30 s, which an exception can interrupt."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.001)


def compute_unless_short(job):
    if job.headers["task"] != "short":
        compute(job)


def test_a_soft_limit_is_an_exception_in_the_task(driver):
    driver.start(compute)
    (report,) = driver.until_reported(driver.submit(driver.job(timelimit=[None, 0.1])))
    assert report.kind is OutcomeKind.FAILURE
    assert "SoftTimeLimitExceeded" in report.detail
    assert 0.1 <= report.runtime < 1


def test_a_task_may_clean_up_after_its_soft_limit(driver):
    def act(job):
        try:
            compute(job)
        except SoftTimeLimitExceeded:
            return "cleaned up"

    driver.start(act, soft_time_limit=0.1)
    (report,) = driver.until_reported(driver.submit(driver.job()))
    assert report.detail == "'cleaned up'"


def test_at_its_hard_limit_a_task_is_given_up_and_its_thread_replaced(driver):
    gate, ended = threading.Event(), threading.Event()

    def act(job):
        if job.headers["task"] == "stuck":
            gate.wait()
            ended.set()
        return job.headers["task"]

    pool = driver.start(act, concurrency=1)
    stuck, other = driver.submit(driver.job("stuck", timelimit=[0.1, None]), driver.job("other"))
    driver.until_reported([stuck, other])
    assert driver.reports[stuck].kind is OutcomeKind.HARD_TIME_LIMIT
    assert "TimeLimitExceeded(0.1)" in driver.reports[stuck].detail
    assert driver.reports[other].detail == "'other'"
    assert pool.info()["threads"] == 1
    # And when the task ends after all, nobody hears of it.
    gate.set()
    assert ended.wait(10)
    driver.until_reported(driver.submit(driver.job()))
    assert pool.running() == 0


def test_the_limits_of_a_message_beat_those_of_the_pool(driver):
    driver.start(compute, soft_time_limit=20)
    (report,) = driver.until_reported(driver.submit(driver.job(timelimit=[None, 0.1])))
    assert "SoftTimeLimitExceeded" in report.detail


def test_limits_that_are_none_are_ignored(driver):
    driver.start(lambda job: "done")
    shapes = [None, [None, None], "soon", [1], ["x", -1], [True, 0]]
    reports = driver.until_reported(driver.submit(*(driver.job(timelimit=shape) for shape in shapes)))
    assert {report.detail for report in reports} == {"'done'"}


def test_a_soft_limit_reached_as_tasks_end_hits_no_other_task(driver):
    """Tasks that end just when their limit is reached, each followed by one without a limit."""

    def act(job):
        seconds = job.headers.get("seconds", 0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    driver.start(act, concurrency=1)
    limited, unlimited = [], []
    for n in range(100):
        seconds = 0.003 + n * 0.00002
        limited += driver.submit(driver.job(seconds=seconds, timelimit=[None, 0.004]))
        unlimited += driver.submit(driver.job())
        driver.until_reported(unlimited[-1:])
    assert {driver.reports[number].kind for number in unlimited} == {OutcomeKind.SUCCESS}
    assert driver.reports.keys() == {*limited, *unlimited}
