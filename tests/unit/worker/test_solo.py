"""The pool that is none: tasks one after the other in the loop's own thread, which gets its turn between them."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from celeriac.contracts import Job, PoolContext, Report
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import SoftTimeLimitExceeded, WorkerTerminate
from celeriac.worker.solo import SoloPool


class Executor:
    """Runs ``functions[number]`` for a job."""

    def __init__(self):
        self.functions = {}
        self.flushed = []
        self.is_closed = False

    def run(self, job):
        function = self.functions.get(job.number)
        return Report(job.number, OutcomeKind.SUCCESS, 0.0, None if function is None else function())

    def flush(self, reports):
        self.flushed += [report.number for report in reports]
        return reports

    def close(self):
        self.is_closed = True


@pytest.fixture
def executor():
    return Executor()


@pytest.fixture
def solo(hub, executor):
    pool = SoloPool(PoolContext(app=None, concurrency=8, executor=lambda: executor))
    pool.reports = []
    pool.start(hub, pool.reports.extend)
    yield pool
    pool.stop()


def jobs(*numbers):
    return [
        Job(number, {"task": "t", "id": str(number)}, b"", "application/json", "utf-8", {}, {}) for number in numbers
    ]


@pytest.mark.covers("pools.solo")
def test_it_runs_one_at_a_time_whatever_it_is_told(solo):
    assert solo.context.concurrency == 1
    assert solo.blocking
    assert solo.info()["processes"] == []


def test_jobs_run_in_their_order_and_each_result_is_stored_before_the_next_begins(solo, executor, turn_until):
    stored_before = []
    for number in (1, 2, 3):
        executor.functions[number] = lambda: stored_before.append(list(executor.flushed))
    solo.submit(jobs(1, 2, 3))
    assert solo.running() == 3
    turn_until(lambda: len(solo.reports) == 3)
    assert stored_before == [[], [1], [1, 2]]
    assert [report.number for report in solo.reports] == [1, 2, 3]
    assert solo.running() == 0


def test_the_loop_has_its_turn_between_two_jobs(solo, executor, hub, turn_until):
    order = []

    def slowly(number):
        def work():
            order.append(number)
            time.sleep(0.02)  # longer than a turn

        return work

    for number in (1, 2):
        executor.functions[number] = slowly(number)
    solo.submit(jobs(1, 2))
    hub.call_later(0.001, order.append, "timer")
    turn_until(lambda: len(solo.reports) == 2)
    assert order == [1, "timer", 2]


def test_what_has_not_begun_can_be_taken_back(solo, turn_until):
    solo.submit(jobs(1, 2, 3))
    assert solo.take_back() == [1, 2, 3]
    assert solo.running() == 0
    solo.submit(jobs(4))
    turn_until(lambda: solo.reports)
    assert [report.number for report in solo.reports] == [4]


def test_room_is_what_may_be_handed_ahead(solo, executor):
    room = solo.room()
    solo.submit(jobs(*range(10)))
    assert solo.room() == room - 10


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), WorkerTerminate(1)], ids=repr)
def test_a_task_that_ends_its_process_is_lost_and_the_worker_goes_on(solo, executor, turn_until, caplog, error):
    def leave():
        raise error

    executor.functions[1] = leave
    solo.submit(jobs(1, 2))
    turn_until(lambda: len(solo.reports) == 2)
    assert [report.kind for report in solo.reports] == [OutcomeKind.WORKER_LOST, OutcomeKind.SUCCESS]
    assert repr(error) in solo.reports[0].detail
    assert "asked its process to end" in caplog.text


def test_a_cold_stop_ends_the_running_task_and_does_not_report_it(solo, executor, turn_until):
    ended = []

    def work():
        try:
            solo.interrupt()  # as a signal handler does, in the middle of a task
        finally:
            ended.append(True)

    executor.functions[2] = work
    solo.submit(jobs(1, 2, 3))
    turn_until(lambda: ended)
    assert [report.number for report in solo.reports] == [1]
    assert executor.flushed == [1]
    assert solo.take_back() == [3]
    solo.terminate()
    assert executor.is_closed


def test_between_two_tasks_there_is_nothing_to_interrupt(solo):
    solo.interrupt()
    solo.submit(jobs(1))
    solo.interrupt()
    assert solo.running() == 1


def test_stopping_twice_and_before_a_start_is_harmless(executor):
    pool = SoloPool(PoolContext(app=None, concurrency=1, executor=lambda: executor))
    pool.stop()
    pool.terminate()
    pool.stop()
    assert not executor.is_closed


def limited_jobs(limits):
    return [job._replace(headers={**job.headers, "timelimit": limits}) for job in jobs(1)]


def test_a_soft_limit_is_an_exception_in_the_task(solo, executor, turn_until):
    def work():
        try:
            time.sleep(20)
        except SoftTimeLimitExceeded:
            return "soft"

    executor.functions[1] = work
    solo.submit(limited_jobs([None, 0.05]))
    turn_until(lambda: solo.reports)
    assert solo.reports[0].detail == "soft"


def test_a_hard_limit_ends_a_task_that_catches_all_exceptions(solo, executor, turn_until):
    def work():
        while True:
            try:
                time.sleep(20)
            except Exception:  # noqa: BLE001  # whatever it is, also the soft limit
                continue

    executor.functions[1] = work
    solo.submit([*limited_jobs([0.1, 0.05]), *jobs(2)])
    turn_until(lambda: len(solo.reports) == 2)
    assert [report.kind for report in solo.reports] == [OutcomeKind.HARD_TIME_LIMIT, OutcomeKind.SUCCESS]
    assert "TimeLimitExceeded(0.1)" in solo.reports[0].detail
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_a_thread_without_signals_limits_are_said_not_to_hold(hub, executor, caplog):
    pool = SoloPool(PoolContext(app=None, concurrency=1, executor=lambda: executor))
    reports = []
    pool.start(hub, reports.extend)
    pool.submit(limited_jobs([10, None]))
    thread = threading.Thread(target=pool._work)
    thread.start()
    thread.join()
    assert reports[0].kind is OutcomeKind.SUCCESS
    assert "not kept" in caplog.text
