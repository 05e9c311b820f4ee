"""No task waits behind a long one that another child could run, and no report waits for a long task."""

from __future__ import annotations

import time

from celeriac.contracts.pool import Job


def sleep_for_body(job: Job) -> float:
    time.sleep(float(job.body or 0))
    return time.monotonic()


def test_a_long_task_holds_back_no_other(driver):
    driver.start(sleep_for_body, concurrency=2)
    driver.until_ready()
    started = time.monotonic()
    long, *short = driver.submit(driver.job(body=b"5"), *(driver.job() for _ in range(100)))
    driver.until_reported(short, timeout=1.0)
    assert time.monotonic() - started < 1.0
    assert long not in driver.reports


def test_a_report_does_not_wait_for_the_long_task_behind_it(driver):
    driver.start(sleep_for_body, concurrency=1)
    driver.until_ready()
    short, long = driver.submit(driver.job(body=b"0.05"), driver.job(body=b"3"))
    (report,) = driver.until_reported([short], timeout=2.0)
    assert driver.arrivals[short] - float(report.detail) < 0.1
    assert long not in driver.reports


def test_reports_under_backlog_are_stored_in_batches_and_none_waits_for_the_last(driver):
    batches = []

    def flush(reports):
        batches.append(len(reports))
        return [report._replace(detail=str(len(batches))) for report in reports]

    driver.start(lambda job: None, concurrency=1, flush=flush)
    driver.until_ready()
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(60))))
    rounds = int(reports[-1].detail)
    assert 1 <= rounds <= 30


def test_results_are_stored_before_they_are_reported_and_never_by_two_threads_at_once(driver):
    busy = []

    def flush(reports):
        assert busy == []
        busy.append(1)
        time.sleep(0.002)
        busy.clear()
        return [report._replace(detail="stored") for report in reports]

    driver.start(lambda job: time.sleep(0.0005), concurrency=1, flush=flush)
    for _ in range(20):
        reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(10))))
        assert {report.detail for report in reports} == {"stored"}
