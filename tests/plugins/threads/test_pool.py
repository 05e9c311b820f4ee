"""Jobs go in, exactly one report of each comes out."""

from __future__ import annotations

import os
import threading
import time

import pytest

from celeriac.contracts.outcome import OutcomeKind


@pytest.mark.covers("pools.threads")
def test_every_job_is_run_in_a_thread_and_reported_once(driver):
    pool = driver.start(lambda job: (threading.current_thread().name, job.body), concurrency=3)
    numbers = driver.submit(*(driver.job(body=b"%d" % n) for n in range(100)))
    reports = driver.until_reported(numbers)
    assert pool.running() == 0
    assert {report.kind for report in reports} == {OutcomeKind.SUCCESS}
    assert [eval(report.detail)[1] for report in reports] == [b"%d" % n for n in range(100)]
    assert all(eval(report.detail)[0].startswith("celeriac-worker-") for report in reports)


def test_as_many_jobs_run_at_once_as_there_are_threads(driver):
    barrier = threading.Barrier(20, timeout=10)
    driver.start(lambda job: barrier.wait(), concurrency=20)
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(20))))
    assert {report.kind for report in reports} == {OutcomeKind.SUCCESS}


def test_a_long_task_holds_back_no_other(driver):
    gate = threading.Event()
    driver.start(lambda job: gate.wait() if job.headers["task"] == "long" else None)
    long, *short = driver.submit(driver.job("long"), *(driver.job() for _ in range(100)))
    driver.until_reported(short, timeout=1.0)
    assert long not in driver.reports
    gate.set()
    driver.until_reported([long])


def test_what_waits_can_be_taken_back(driver):
    gate, begun = threading.Event(), threading.Semaphore(0)
    pool = driver.start(lambda job: (begun.release(), gate.wait()))
    numbers = driver.submit(*(driver.job() for _ in range(50)))
    for _ in range(2):
        assert begun.acquire(timeout=10)
    assert pool.take_back() == numbers[2:]
    assert pool.running() == 2
    gate.set()
    driver.until_reported(numbers[:2])
    assert pool.running() == 0
    assert driver.reports.keys() == set(numbers[:2])


def test_a_report_that_is_alone_is_stored_at_once(driver):
    gate = threading.Event()
    driver.start(lambda job: gate.wait() if job.headers["task"] == "long" else None)
    long, short = driver.submit(driver.job("long"), driver.job())
    driver.until_reported([short], timeout=1.0)
    assert long not in driver.reports
    gate.set()


def test_results_are_stored_in_batches_by_one_thread_at_a_time_while_there_is_a_backlog(driver):
    busy, sizes = [], []

    def flush(reports):
        assert busy == []
        busy.append(1)
        sizes.append(len(reports))
        time.sleep(0.005)
        busy.clear()
        return [report._replace(detail="stored") for report in reports]

    driver.start(flush=flush, concurrency=4)
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(100))))
    assert {report.detail for report in reports} == {"stored"}
    assert sum(sizes) == 100
    assert max(sizes) > 1


def test_a_store_that_raises_what_it_should_not_leaves_no_job_unreported(driver, caplog):
    def flush(reports):
        raise RuntimeError("bad driver")

    driver.start(flush=flush)
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(10))))
    assert {report.kind for report in reports} == {OutcomeKind.STORE_FAILED}
    assert "bad driver" in reports[0].detail
    assert "Storing results failed" in caplog.text


def test_a_task_that_ends_its_thread_is_lost_and_the_thread_goes_on(driver, caplog):
    def act(job):
        if job.headers["task"] == "exit":
            raise SystemExit(3)

    pool = driver.start(act, concurrency=1)
    lost, *others = driver.submit(driver.job("exit"), *(driver.job() for _ in range(5)))
    driver.until_reported([lost, *others])
    assert driver.reports[lost].kind is OutcomeKind.WORKER_LOST
    assert "SystemExit(3)" in driver.reports[lost].detail
    assert {driver.reports[number].kind for number in others} == {OutcomeKind.SUCCESS}
    assert pool.info()["threads"] == 1


def test_a_thread_that_cannot_start_is_tried_again(driver, caplog):
    attempts = []

    def executor():
        attempts.append(1)
        if len(attempts) <= 2:
            raise RuntimeError("no database")
        return driver.executor_class(lambda job: "at last", None)

    driver.start(executor=executor, concurrency=1)
    (report,) = driver.until_reported(driver.submit(driver.job()))
    assert report.detail == "'at last'"
    assert "no database" in caplog.text
    assert "2 in a row" in caplog.text


def test_stopping_twice_or_before_the_start_is_harmless(driver):
    pool = driver.start()
    type(pool)(pool.context).stop()
    pool.stop()
    pool.stop()
    pool.terminate()


def test_a_pool_leaves_no_open_file_and_no_thread_behind(driver):
    driver.hub.run_once()  # which opens two sockets of its own
    files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    pool = driver.start(concurrency=10)
    driver.until_reported(driver.submit(*(driver.job() for _ in range(50))))
    assert threading.active_count() == threads + 10
    pool.stop()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files


def test_terminating_does_not_wait_for_a_task(driver):
    gate, begun = threading.Event(), threading.Event()
    pool = driver.start(lambda job: (begun.set(), gate.wait()))
    driver.submit(driver.job())
    assert begun.wait(10)
    started = time.monotonic()
    pool.terminate()
    assert time.monotonic() - started < 1
    assert pool.running() == 0
    gate.set()
