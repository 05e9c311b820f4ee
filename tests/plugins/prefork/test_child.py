"""What a task finds in its process."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from celeriac.contracts.outcome import OutcomeKind
from celeriac.pools.restarts import LONGEST_DELAY, RestartDelay


def test_children_have_random_numbers_of_their_own(driver):
    random.seed(1)
    driver.start(lambda job: (time.sleep(0.1), os.getpid(), random.random()), concurrency=3)
    driver.until_ready()
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(3))))
    assert len({eval(report.detail)[1] for report in reports}) == 3
    assert len({eval(report.detail)[2] for report in reports}) == 3


def test_a_task_that_asks_for_input_gets_none(driver):
    driver.start(lambda job: os.read(0, 10))
    (report,) = driver.until_reported(driver.submit(driver.job()))
    assert report.detail == "b''"


def test_nothing_of_the_parent_is_collected_in_a_child(driver):
    import gc

    driver.start(lambda job: gc.get_freeze_count() > 10_000)
    (report,) = driver.until_reported(driver.submit(driver.job()))
    assert report.detail == "True"
    driver.pool.stop()
    assert gc.get_freeze_count() == 0


def test_a_default_timeout_of_sockets_is_not_the_pools(driver):
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.01)
    try:
        driver.start()
    finally:
        socket.setdefaulttimeout(before)
    driver.until_ready()
    idle = time.monotonic() + 0.1
    driver.until(lambda: time.monotonic() > idle)
    (report,) = driver.until_reported(driver.submit(driver.job()))
    assert report.kind is OutcomeKind.SUCCESS


def test_a_child_holds_nothing_of_its_siblings(driver):
    def sockets(job):
        time.sleep(0.05)
        return len(os.listdir("/proc/self/fd"))

    driver.start(sockets, concurrency=4)
    driver.until_ready()
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(4))))
    assert len({report.detail for report in reports}) == 1


def test_a_task_may_fork_and_its_copy_has_no_part_in_the_pool(driver):
    def act(job):
        if job.headers["task"] == "fork" and os.fork() == 0:
            return "copy"
        return "child"

    driver.start(act, concurrency=1)
    driver.until_ready()
    numbers = driver.submit(*(driver.job("fork" if n % 5 == 0 else "") for n in range(50)))
    reports = driver.until_reported(numbers)
    assert {report.detail for report in reports} == {"'child'"}
    assert {report.kind for report in reports} == {OutcomeKind.SUCCESS}


@pytest.mark.parametrize("how", ["fork", "exec"])
def test_a_death_is_noticed_although_a_process_of_the_task_lives_on(driver, how, tmp_path):
    pid_file = tmp_path / "pid"

    def act(job):
        if how == "exec":
            pid = subprocess.Popen(["sleep", "30"], close_fds=False).pid
        elif (pid := os.fork()) == 0:
            time.sleep(30)
            os._exit(0)
        pid_file.write_text(f"{pid}.")
        time.sleep(30)

    pool = driver.start(act, concurrency=1)
    (number,) = driver.submit(driver.job())
    driver.until(lambda: pid_file.exists() and pid_file.read_text().endswith("."))
    os.kill(pool.pids()[0], signal.SIGKILL)
    try:
        (report,) = driver.until_reported([number], timeout=2)
        assert report.kind is OutcomeKind.WORKER_LOST
    finally:
        os.kill(int(pid_file.read_text()[:-1]), signal.SIGKILL)


def test_a_process_forked_by_the_worker_keeps_no_child_alive(driver):
    before = set(os.listdir("/proc/self/fd"))
    pool = driver.start()
    driver.until_ready()
    of_the_pool = set(os.listdir("/proc/self/fd")) - before
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(write, " ".join(os.listdir("/proc/self/fd")).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    held_by_copy = set(os.read(read, 65536).decode().split())
    os.close(read)
    # The copy's own look at its descriptors has taken the number of one that is closed.
    assert len(of_the_pool - held_by_copy) == 5 * len(pool.pids()) - 1


def test_a_job_for_which_no_file_can_be_had_goes_back_to_its_queue(driver, caplog):
    driver.start(concurrency=1)
    driver.until_ready()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    spare = [os.dup(0) for _ in range(highest)]  # no free number is left below the limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, hard))
    try:
        big, small = driver.submit(driver.job(body=bytes(100_000)), driver.job())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in spare:
            os.close(descriptor)
    driver.until_reported([big, small])
    assert driver.reports[big].kind is OutcomeKind.REJECTED
    assert driver.reports[big].requeue
    assert driver.reports[small].kind is OutcomeKind.SUCCESS
    assert driver.pool.running() == 0
    assert "could not be handed to a child" in caplog.text


def test_a_child_that_may_open_no_file_gives_a_big_job_back(driver):
    def act(job):
        if job.headers["task"] == "limit":
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    driver.start(act, concurrency=1)
    driver.until_reported(driver.submit(driver.job("limit")))
    big, small = driver.submit(driver.job(body=bytes(100_000)), driver.job())
    driver.until_reported([big, small])
    assert (driver.reports[big].kind, driver.reports[big].requeue) == (OutcomeKind.REJECTED, True)
    assert driver.reports[small].kind is OutcomeKind.SUCCESS


def test_a_store_that_raises_what_it_should_not_leaves_no_job_unreported(driver):
    def flush(reports):
        raise RuntimeError("bad driver")

    driver.start(flush=flush)
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(10))))
    assert {report.kind for report in reports} == {OutcomeKind.STORE_FAILED}
    assert "bad driver" in reports[0].detail


def test_an_executor_that_raises_what_it_should_not_leaves_no_job_unreported(driver):
    class Broken(driver.executor_class):
        def run(self, job):
            raise RuntimeError("broken executor")

    pool = driver.start(executor=lambda: Broken(None, None))
    pids = pool.pids()
    reports = driver.until_reported(driver.submit(*(driver.job() for _ in range(10))))
    assert {report.kind for report in reports} == {OutcomeKind.WORKER_LOST}
    assert "broken executor" in reports[0].detail
    assert pool.pids() == pids


def test_a_child_without_the_help_of_the_kernel_dies_with_its_parent_too(spawn, wait_until):
    code = """
import os, threading, time
from celeriac.pools.lifeline import arm_by_thread
read, write = os.pipe()
if os.fork() == 0:
    os.close(write)
    arm_by_thread(read)
    os.write(1, b"armed")
    while True:
        pass
time.sleep(600)
"""
    worker = spawn(sys.executable, "-c", code)
    worker.wait_for_output("armed")
    assert len(worker.session_pids()) == 2
    worker.signal(signal.SIGKILL)
    wait_until(lambda: set(worker.session_pids()) <= {worker.pid}, timeout=1)


def test_restarts_wait_ever_longer_up_to_a_bound():
    delays = RestartDelay()
    waits = [delays.after_failure() for _ in range(40)]
    assert waits[:4] == [0, 0, 0, 0]
    assert waits == sorted(waits)
    assert 0 < waits[4] < 1
    assert waits[-1] == LONGEST_DELAY
    delays.succeeded()
    assert delays.after_failure() == 0


def test_a_worker_with_thousands_of_open_files_can_start_and_stop_children(driver):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2000:
        pytest.skip(f"the system allows only {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    spare = [os.dup(0) for _ in range(1200)]
    try:
        pool = driver.start()
        driver.until_reported(driver.submit(*(driver.job() for _ in range(10))))
        started = time.monotonic()
        pool.stop()
        assert time.monotonic() - started < 1
    finally:
        for descriptor in spare:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
