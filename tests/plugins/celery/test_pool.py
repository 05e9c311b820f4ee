"""A pool that was written for Celery runs tasks here."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery.concurrency.base import BasePool, apply_target
from celery.contrib.testing.app import TestApp
from celery.contrib.testing.worker import start_worker
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from celeriac.testing.conformance import PoolHarness, PoolSuite


class Executed(BasePool):
    """As Celery's documentation has pools: `on_start`, `on_apply`, `on_stop`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.executor = ThreadPoolExecutor(max_workers=self.limit)

    def on_stop(self):
        self.executor.shutdown()
        super().on_stop()

    def on_apply(self, target, args=None, kwargs=None, callback=None, accept_callback=None, **_):
        return self.executor.submit(apply_target, target, args, kwargs, callback, accept_callback)

    def _get_info(self):
        return {**super()._get_info(), "threads": len(self.executor._threads)}

    # Both mean something else there: a process id, and a property.

    def terminate_job(self, pid, signal=None):
        raise AssertionError

    @property
    def info(self):
        raise AssertionError


class Refusing(Executed):
    def on_apply(self, target, args=None, kwargs=None, **options):
        raise OSError("no thread left")


class Timed(Executed):
    """Gives up on a task at its hard limit, as pools of greenlets do."""

    def on_apply(self, target, args=None, kwargs=None, timeout=None, timeout_callback=None, **options):
        if timeout:
            timer = threading.Timer(timeout, timeout_callback, (False, timeout))
            timer.daemon = True
            timer.start()
        return super().on_apply(target, args, kwargs, **options)


class TestAPoolForCelery(PoolSuite):
    unclaimed = ("children", "grow", "jobs ahead", "restart", "shrink", "terminate_job")

    def make_harness(self):
        return PoolHarness(Executed)


@pytest.fixture
def app():
    with TestApp("proj", set_as_current=True) as app:
        yield app


def test_tasks_run_side_by_side_and_their_worker_tells_of_the_pool(app):
    both = threading.Barrier(2)

    @app.task
    def meet():
        return both.wait(10) in {0, 1} and threading.current_thread().name

    with start_worker(app, pool=Executed, concurrency=2, perform_ping_check=False) as worker:
        names = [result.get(timeout=10) for result in (meet.delay(), meet.delay())]
        info = worker.pool.info()
    assert len(set(names)) == 2
    assert all("ThreadPoolExecutor" in name for name in names)
    assert info["implementation"].endswith(":Executed")
    assert (info["max-concurrency"], info["threads"]) == (2, 2)


def test_a_pool_that_takes_no_job_lets_it_end_as_lost(app):
    @app.task(max_deliveries=1)
    def never():
        raise AssertionError

    with start_worker(app, pool=Refusing, perform_ping_check=False):
        result = never.delay()
        with pytest.raises(WorkerLostError, match="no thread left"):
            result.get(timeout=10)


def test_a_pool_that_knows_limits_ends_the_task_at_its_own(app):
    goes_on = threading.Event()

    @app.task(time_limit=0.2)
    def slow():
        goes_on.wait(30)

    with start_worker(app, pool=Timed, concurrency=2, perform_ping_check=False):
        result = slow.delay()
        with pytest.raises(TimeLimitExceeded):
            result.get(timeout=10)
        goes_on.set()
