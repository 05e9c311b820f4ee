"""Children die, and every job still has exactly one end."""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job


def act(job: Job) -> int:
    match job.headers["task"]:
        case "sleep":
            time.sleep(60)
        case "exit":
            os._exit(7)
        case "sys.exit":
            raise SystemExit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
    return os.getpid()


@pytest.mark.parametrize(
    ("task", "manner"),
    [
        ("exit", "exit code 7"),
        ("sys.exit", "exit code 3"),
        ("kill", "signal 9 (SIGKILL)"),
        ("segfault", "signal 11 (SIGSEGV)"),
    ],
)
def test_a_job_that_ends_its_child_is_lost_and_those_behind_it_run(driver, task, manner):
    driver.start(act, concurrency=1)
    driver.until_ready()
    lost, *others = driver.submit(driver.job(task), *(driver.job() for _ in range(20)))
    driver.until_reported([lost, *others])
    assert driver.reports[lost].kind is OutcomeKind.WORKER_LOST
    assert "the child process" in driver.reports[lost].detail
    assert manner in driver.reports[lost].detail
    assert {driver.reports[number].kind for number in others} == {OutcomeKind.SUCCESS}


def seconds_to_see_the_death_of_a_plain_child():
    """How long the machine takes for it now, whatever else it does."""
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    killed = time.monotonic()
    child.kill()
    child.wait()
    return time.monotonic() - killed


def test_a_dead_child_is_noticed_and_replaced_at_once(driver):
    pool = driver.start(act, concurrency=2)
    driver.until_ready()
    (number,) = driver.submit(driver.job("sleep"))
    plain = max(seconds_to_see_the_death_of_a_plain_child() for _ in range(3))
    child = driver.until(lambda: next((c for c in pool._children if c.board.read()[0] == number), None))
    killed = time.monotonic()
    os.kill(child.pid, signal.SIGKILL)
    driver.until_reported([number])
    # Not only when somebody looks: the longest sleep of the loop is a minute
    assert driver.arrivals[number] - killed < 0.2 + 20 * plain
    assert child.pid not in pool.pids()
    assert len(pool.pids()) == 2
    assert driver.reports[number].kind is OutcomeKind.WORKER_LOST


def test_jobs_that_had_been_reported_are_not_lost_with_their_child(driver):
    pool = driver.start(act, concurrency=1)
    done = driver.submit(*(driver.job() for _ in range(10)))
    driver.until_reported(done)
    os.kill(pool.pids()[0], signal.SIGKILL)
    after = driver.submit(driver.job())
    driver.until_reported(after)
    assert {report.kind for report in driver.reports.values()} == {OutcomeKind.SUCCESS}


def test_sigterm_ends_a_child_whatever_handler_the_worker_has(driver):
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        pool = driver.start(act, concurrency=1)
    finally:
        signal.signal(signal.SIGTERM, before)
    driver.until_ready()
    (number,) = driver.submit(driver.job("sleep"))
    driver.until(lambda: pool._children[0].board.read()[0] == number)
    os.kill(pool.pids()[0], signal.SIGTERM)
    (report,) = driver.until_reported([number])
    assert report.kind is OutcomeKind.WORKER_LOST


def test_interrupting_the_terminal_leaves_the_children_alone(driver):
    pool = driver.start(act, concurrency=2)
    driver.until_ready()
    pids = pool.pids()
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    driver.until_reported(driver.submit(*(driver.job() for _ in range(10))))
    assert pool.pids() == pids


def test_each_job_has_exactly_one_report_while_children_are_killed_at_random(driver):
    chance = random.Random(20260101)
    left = 5000
    begun, runners = (
        mmap.mmap(-1, left + 1),
        memoryview(mmap.mmap(-1, 4 * left + 4)).cast("I"),
    )  # shared with the children

    def act(job):
        begun[job.number] += 1
        runners[job.number] = os.getpid()
        time.sleep(chance.random() / 2000)

    pool = driver.start(act, concurrency=3)
    numbers: list[int] = []
    kill_at = time.monotonic() + 0.05
    while left or pool.running():
        count = min(left, pool.room(), chance.randint(1, 60))
        if count:
            numbers += driver.submit(*(driver.job(body=bytes(chance.choice([10, 100_000]))) for _ in range(count)))
            left -= count
        driver.hub.run_once()
        # One that has run nothing yet is spared: after those that die so, the next starts ever more slowly.
        if time.monotonic() > kill_at and (seasoned := sorted(set(pool.pids()).intersection(runners))):
            os.kill(chance.choice(seasoned), signal.SIGKILL)
            kill_at = time.monotonic() + 0.05
    assert driver.reports.keys() == set(numbers)
    kinds = {number: report.kind for number, report in driver.reports.items()}
    lost = [number for number in numbers if kinds[number] is OutcomeKind.WORKER_LOST]
    assert set(kinds.values()) == {OutcomeKind.SUCCESS, OutcomeKind.WORKER_LOST}
    # And none was run again, lost or not: what is acknowledged early runs at most once.
    assert {begun[number] for number in numbers if number not in lost} == {1}
    assert {begun[number] for number in lost} <= {0, 1}
    assert 0 < len(lost) < 1000


def test_children_that_cannot_start_are_tried_again_ever_more_slowly(driver, tmp_path, caplog):
    attempts = tmp_path / "attempts"
    mended = tmp_path / "mended"

    def executor():
        with attempts.open("a") as file:
            file.write("x")
        if not mended.exists():
            raise RuntimeError("no database")
        return driver.executor_class(lambda job: "at last", None)

    driver.start(executor=executor, concurrency=1)
    driver.until(lambda: "5 in a row" in caplog.text)
    assert "ended with exit code 69 before it ran anything" in caplog.text
    assert len(attempts.read_text()) == 5
    mended.touch()
    driver.until(lambda: driver.pool.room() > 0)
    (report,) = driver.until_reported(driver.submit(driver.job()))
    assert report.detail == "'at last'"


@pytest.mark.covers("settings.worker_proc_alive_timeout")
def test_a_child_that_is_not_ready_in_time_is_replaced(driver, tmp_path, caplog):
    stuck = tmp_path / "stuck"
    stuck.touch()

    def make():
        if stuck.exists():
            stuck.unlink()
            time.sleep(60)
        return driver.executor_class(lambda job: os.getpid(), None)

    pool = driver.start(executor=make, concurrency=1, alive_timeout=1.0)
    (pid,) = pool.pids()
    (report,) = driver.until_reported(driver.submit(driver.job()))
    assert report.kind is OutcomeKind.SUCCESS
    assert pid not in pool.pids()
    assert f"Child process {pid} is not ready after 1 s" in caplog.text
