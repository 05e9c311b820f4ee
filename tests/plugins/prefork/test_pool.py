"""Jobs go in, exactly one report of each comes out."""

from __future__ import annotations

import os
import time
from datetime import datetime
from decimal import Decimal

from celeriac.contracts.outcome import OutcomeKind


def test_every_job_is_run_in_a_child_and_reported_once(driver):
    pool = driver.start(lambda job: (os.getpid(), job.body.decode()))
    numbers = driver.submit(*(driver.job(body=b"%d" % n) for n in range(100)))
    reports = driver.until_reported(numbers)
    assert pool.running() == 0
    assert {report.kind for report in reports} == {OutcomeKind.SUCCESS}
    assert {eval(report.detail)[0] for report in reports} <= set(pool.pids())
    assert [eval(report.detail)[1] for report in reports] == [str(n) for n in range(100)]


def test_a_job_arrives_as_it_was_submitted(driver):
    driver.start(repr)
    job = driver.job("proj.add", b"\x00body\xff", retries=3, nested={"a": [1, None, 2.5, True]})
    (report,) = driver.until_reported(driver.submit(job))
    assert eval(report.detail) == repr(job)


def test_headers_that_only_amqp_knows_arrive_as_text(driver):
    driver.start(lambda job: job.headers["when"] + " " + job.headers["price"])
    job = driver.job(when=datetime(2030, 1, 2, 3, 4, 5), price=Decimal("1.50"))
    (report,) = driver.until_reported(driver.submit(job))
    assert report.detail == repr("2030-01-02T03:04:05 1.50")


def test_a_body_beyond_any_socket_buffer_arrives_whole(driver):
    driver.start(lambda job: (len(job.body), job.body[:3], job.body[-3:]))
    jobs = [driver.job(body=b"abc" + bytes(3_000_000 + n) + b"xyz") for n in range(20)]
    reports = driver.until_reported(driver.submit(*jobs))
    assert [eval(report.detail) for report in reports] == [(3_000_006 + n, b"abc", b"xyz") for n in range(20)]


def test_more_than_the_sockets_hold_is_submitted_without_blocking(driver):
    pool = driver.start(lambda job: len(job.body))
    jobs = [driver.job(body=bytes(60_000)) for _ in range(pool.room())]
    reports = driver.until_reported(driver.submit(*jobs))
    assert {report.detail for report in reports} == {"60000"}


def test_an_idle_child_gets_its_job_before_a_busy_one_gets_a_second(driver):
    driver.start(lambda job: time.sleep(0.2) or os.getpid(), concurrency=4)
    driver.until_ready()
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(4))))
    assert len({report.detail for report in reports}) == 4


def test_the_pool_says_how_much_it_would_take(driver):
    pool = driver.start(lambda job: time.sleep(60), concurrency=2)
    assert pool.room() == 128
    driver.submit(driver.job(), driver.job())
    assert (pool.room(), pool.running()) == (126, 2)


def test_what_was_handed_ahead_can_be_taken_back(driver):
    pool = driver.start(lambda job: time.sleep(0.3), concurrency=2)
    numbers = driver.submit(*(driver.job() for _ in range(50)))
    driver.until(lambda: [child.board.read()[0] for child in pool._children] == numbers[:2])
    assert sorted(pool.take_back()) == numbers[2:]
    assert pool.running() == 2
    driver.until_reported(numbers[:2])
    assert pool.running() == 0
    assert driver.reports.keys() == set(numbers[:2])


def test_stopping_twice_or_before_the_start_is_harmless(driver):
    pool = driver.start()
    pids = pool.pids()
    pool.stop()
    pool.stop()
    pool.terminate()
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
    type(pool)(pool.context).stop()


def test_stopping_kills_what_does_not_end(driver, monkeypatch):
    monkeypatch.setattr("celeriac.pools.process_pool.STOP_TIMEOUT", 0.1)
    pool = driver.start(lambda job: time.sleep(60))
    (number,) = driver.submit(driver.job())
    driver.until(lambda: any(child.board.read()[0] == number for child in pool._children))
    pids = pool.pids()
    pool.stop()
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []


def test_a_pool_leaves_no_open_file_and_no_process_behind(driver):
    driver.hub.run_once()  # which opens two sockets of its own
    before = len(os.listdir("/proc/self/fd"))
    pool = driver.start()
    pids = pool.pids()
    driver.until_reported(driver.submit(*(driver.job(body=bytes(200_000)) for _ in range(50))))
    driver.submit(*(driver.job(body=bytes(200_000)) for _ in range(50)))
    pool.take_back()
    pool.stop()
    assert len(os.listdir("/proc/self/fd")) == before
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
