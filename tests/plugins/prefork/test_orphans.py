"""When the worker dies, its children do not go on."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

WORKER = r"""
import itertools, os, sys, time
from kombu.asynchronous import Hub
from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, PoolContext, Report
from celeriac_prefork.pool import PreforkPool

class Executor:
    def run(self, job):
        os.write(1, b"begun\n")
        if job.body == b"sleep":
            time.sleep(600)
        elif job.body == b"compute":
            while True:
                pass
        elif job.body == b"handle":
            import signal
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            while True:
                time.sleep(600)
        return Report(job.number, OutcomeKind.SUCCESS)
    def flush(self, reports):
        return reports
    def close(self, exitcode=0):
        pass

pool = PreforkPool(PoolContext(None, 2, Executor))
hub = Hub()
pool.start(hub, lambda reports: print("reported", flush=True))
for number in range(int(sys.argv[2])):
    pool.submit([Job(number, {}, sys.argv[1].encode(), "", "", {}, {})])
os.write(1, f"children {pool.pids()[0]} {pool.pids()[1]}\n".encode())
if len(sys.argv) > 3:
    hub.call_later(0.2, sys.exit, 0)
while True:
    hub.run_once()
"""


@pytest.mark.parametrize(("task", "count"), [("sleep", 2), ("compute", 2), ("handle", 2), ("idle", 0)])
def test_children_are_gone_within_a_second_of_a_sigkill_of_their_parent(spawn, wait_until, task, count):
    worker = spawn(sys.executable, "-c", WORKER, task, str(count))
    worker.wait_for_output("children ")
    wait_until(lambda: worker.output().count("begun") == count)
    assert len(worker.session_pids()) == 3
    worker.signal(signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: set(worker.session_pids()) <= {worker.pid}, timeout=5)
    assert time.monotonic() - killed < 1


def test_children_end_when_their_parent_leaves_without_stopping_the_pool(spawn, wait_until):
    worker = spawn(sys.executable, "-c", WORKER, "compute", "2", "leave")
    assert worker.wait() == 0
    wait_until(lambda: worker.session_pids() == [], timeout=5)


def test_a_replaced_child_ends_with_its_parent_too(spawn, wait_until):
    worker = spawn(sys.executable, "-c", WORKER, "idle", "0")
    children = worker.wait_for_output("children ").split("children ")[1].split("\n")[0].split()
    os.kill(int(children[0]), signal.SIGKILL)
    wait_until(lambda: len(worker.session_pids()) == 3 and int(children[0]) not in worker.session_pids())
    worker.signal(signal.SIGKILL)
    wait_until(lambda: set(worker.session_pids()) <= {worker.pid}, timeout=1)
