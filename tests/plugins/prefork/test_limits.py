"""Time limits: an exception in the task for the soft one, the end of its child for the hard one."""

from __future__ import annotations

import os
import signal
import time

from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import SoftTimeLimitExceeded


def sleep_or_not(job):
    match job.headers["task"]:
        case "sleep":
            time.sleep(30)
        case "stubborn":
            while True:
                try:
                    time.sleep(30)
                except SoftTimeLimitExceeded:
                    continue
    return os.getpid()


def test_a_soft_limit_is_an_exception_in_the_task_and_its_child_lives_on(driver):
    pool = driver.start(sleep_or_not, concurrency=1)
    driver.until_ready()
    limited, other = driver.submit(driver.job("sleep", timelimit=[None, 0.1]), driver.job())
    driver.until_reported([limited, other])
    assert driver.reports[limited].kind is OutcomeKind.FAILURE
    assert "SoftTimeLimitExceeded" in driver.reports[limited].detail
    assert 0.1 <= driver.reports[limited].runtime < 1
    assert driver.reports[other].detail == str(pool.pids()[0])


def test_a_hard_limit_kills_the_task_and_no_other(driver, caplog):
    pool = driver.start(sleep_or_not, concurrency=1)
    driver.until_ready()
    (pid,) = pool.pids()
    before, limited, *behind = driver.submit(
        driver.job(), driver.job("sleep", id="x", timelimit=[0.2, None]), *(driver.job() for _ in range(20))
    )
    driver.until_reported([before, limited, *behind])
    assert driver.reports[limited].kind is OutcomeKind.HARD_TIME_LIMIT
    assert "TimeLimitExceeded(0.2)" in driver.reports[limited].detail
    assert 0.2 <= driver.reports[limited].runtime < 1
    assert driver.reports[before].detail == str(pid)
    assert {driver.reports[number].kind for number in behind} == {OutcomeKind.SUCCESS}
    assert pid not in pool.pids()
    assert len(pool.pids()) == 1
    assert [record.message for record in caplog.records] == [
        "Task sleep[x] reached its hard time limit of 0.2 s; its process is killed"
    ]


def test_a_task_that_will_not_hear_of_its_soft_limit_meets_the_hard_one(driver):
    driver.start(sleep_or_not, time_limit=0.3, soft_time_limit=0.1)
    (report,) = driver.until_reported(driver.submit(driver.job("stubborn")))
    assert report.kind is OutcomeKind.HARD_TIME_LIMIT
    assert 0.3 <= report.runtime < 1


def test_limits_count_from_the_start_of_a_task_not_from_its_submission(driver):
    driver.start(lambda job: time.sleep(0.1), concurrency=1, time_limit=0.25)
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(8))))
    assert {report.kind for report in reports} == {OutcomeKind.SUCCESS}


def test_each_of_several_tasks_in_a_row_has_its_own_limit(driver):
    driver.start(sleep_or_not, concurrency=1)
    numbers = driver.submit(
        driver.job("sleep", timelimit=[None, 0.3]),
        driver.job("sleep", timelimit=[None, 0.05]),
        driver.job("sleep", timelimit=[0.1, None]),
        driver.job("sleep", timelimit=[5, 0.1]),
    )
    reports = driver.until_reported(numbers)
    assert [report.kind for report in reports] == [
        OutcomeKind.FAILURE,
        OutcomeKind.FAILURE,
        OutcomeKind.HARD_TIME_LIMIT,
        OutcomeKind.FAILURE,
    ]
    assert all(0.05 <= report.runtime < 1 for report in reports)


def test_the_limits_of_a_message_beat_those_of_the_pool(driver):
    driver.start(sleep_or_not, soft_time_limit=20)
    (report,) = driver.until_reported(driver.submit(driver.job("sleep", timelimit=[None, 0.1])))
    assert "SoftTimeLimitExceeded" in report.detail


def test_limits_that_are_none_are_ignored(driver):
    driver.start(lambda job: "done")
    shapes = [None, [None, None], "soon", [1], ["x", -1], [True, 0]]
    reports = driver.until_reported(driver.submit(*(driver.job(timelimit=shape) for shape in shapes)))
    assert {report.detail for report in reports} == {"'done'"}


def test_a_soft_limit_reached_as_tasks_end_hits_no_other_task(driver):
    """Tasks that end just when their limit is reached, each with one behind it that has no limit."""

    def act(job):
        end = time.monotonic() + job.headers.get("seconds", 0)
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
    driver.until_reported(limited)


def test_sigusr1_from_anybody_else_is_no_soft_limit(driver):
    pool = driver.start(lambda job: time.sleep(0.3), concurrency=1)
    driver.until_ready()
    (number,) = driver.submit(driver.job())
    driver.until(lambda: pool._children[0].board.read()[0] == number)
    os.kill(pool.pids()[0], signal.SIGUSR1)
    (report,) = driver.until_reported([number])
    assert report.kind is OutcomeKind.SUCCESS
