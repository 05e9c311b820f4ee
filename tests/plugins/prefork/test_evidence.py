"""What is known of a child's jobs at the moments that a real one passes through too fast to be caught in."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import SoftTimeLimitExceeded
from celeriac.pools.parcel import pack
from celeriac_prefork.child import Child
from celeriac_prefork.ending import reports_of_lost
from celeriac_prefork.runner import Allowance, Runner


@pytest.fixture
def child():
    child = Child()  # with no process: the test does what that would
    yield child
    child.close()


def hand_over(child, driver, count):
    parcels = [pack(driver.job(body=bytes(100_000 * (n % 2)))) for n in range(count)]
    assert all(child.send(parcel) for parcel in parcels)
    return parcels


def receive(child, count):
    for _ in range(count):
        child._jobs_out.recv(100_000)


@pytest.mark.parametrize(
    ("received", "begun", "lost", "to_run"),
    [
        (0, 0, [], [0, 1, 2, 3]),
        (1, 0, [], [0, 1, 2, 3]),  # taken from the socket, and dead before it ran
        (1, 1, [0], [1, 2, 3]),
        (3, 2, [0, 1], [2, 3]),
        (4, 4, [0, 1, 2, 3], []),
    ],
)
def test_of_a_dead_child_only_what_it_had_begun_is_lost(child, driver, received, begun, lost, to_run):
    parcels = hand_over(child, driver, 4)
    receive(child, received)
    for parcel in parcels[:begun]:
        child.board.begin(parcel.number)
        child.board.end()
    never_begun, begun_numbers = child.take_remains()
    assert begun_numbers == [parcels[n].number for n in lost]
    assert never_begun == [parcels[n] for n in to_run]
    for parcel in never_begun:
        parcel.close()


def test_a_job_reported_before_its_child_died_proves_nothing_about_the_next(child, driver):
    first, second = hand_over(child, driver, 2)
    receive(child, 2)
    child.board.begin(first.number)
    child.settle([(first.number, "success", None, None, False)])
    assert child.take_remains() == ([second], [])
    second.close()


@pytest.mark.parametrize(
    ("lost", "running", "suspected"),
    [
        ([1, 2, 3], 3, [3]),  # the others had ended, and only their reports died with the child
        ([1, 2, 3], None, []),  # it died while it stored what had ended, and nobody knows of which
        ([2], None, [2]),  # ... of the only one
    ],
)
def test_only_a_job_that_the_child_can_have_died_of_is_suspected(child, lost, running, suspected):
    for number in lost:
        child.board.begin(number)
        if number != running:
            child.board.end()
    reports = reports_of_lost(child, lost, 9)
    assert [report.number for report in reports] == lost
    assert {report.kind for report in reports} == {OutcomeKind.WORKER_LOST}
    assert [report.number for report in reports if report.is_suspect] == suspected


def test_the_soft_limit_interrupts_the_job_it_means_and_nothing_between_two_jobs(child, driver):
    runner = Runner(driver.executor_class(None, None), child._jobs_out, child._reports_in, child.board, Allowance())
    in_task = SimpleNamespace(f_code=self_code())
    between = SimpleNamespace(f_code=Runner._serve.__code__)
    child.board.begin(5)
    runner._on_soft_limit(10, in_task)
    child.board.interrupt(4)
    runner._on_soft_limit(10, in_task)
    child.board.interrupt(5)
    runner._on_soft_limit(10, between)
    with pytest.raises(SoftTimeLimitExceeded):
        runner._on_soft_limit(10, in_task)
    child.board.end()
    runner._on_soft_limit(10, in_task)


def self_code():
    return self_code.__code__


def test_a_hard_limit_that_comes_too_late_kills_nobody(driver):
    pool = driver.start(lambda job: time.sleep(0.1), concurrency=1)
    driver.until_ready()
    pids = pool.pids()
    numbers = driver.submit(driver.job(), driver.job(), driver.job())
    driver.until(lambda: pool._children[0].board.read()[0] == numbers[0])
    pool._on_hard_limit(pool._children[0], numbers[0] - 1, 0.1)
    reports = driver.until_reported(numbers)
    assert {report.kind for report in reports} == {OutcomeKind.SUCCESS}
    assert pool.pids() == pids


def test_a_hard_limit_takes_back_what_the_child_could_begin_before_it_kills(driver):
    pool = driver.start(lambda job: time.sleep(30) if job.headers["task"] else None, concurrency=1)
    driver.until_ready()
    stuck, *others = driver.submit(driver.job("stuck"), driver.job(), driver.job())
    (child,) = pool._children
    driver.until(lambda: child.board.read()[0] == stuck)
    pool._on_hard_limit(child, stuck, 0.1)
    assert list(child.assigned) == [stuck]
    driver.until_reported([stuck, *others])
    assert driver.reports[stuck].kind is OutcomeKind.HARD_TIME_LIMIT
    assert {driver.reports[number].kind for number in others} == {OutcomeKind.SUCCESS}
