"""The pool does what every pool must do."""

from __future__ import annotations

from celeriac.testing.conformance import PoolHarness, PoolSuite
from celeriac_threads.pool import ThreadPool


class TestThreadPool(PoolSuite):
    concurrency = 2
    unclaimed = ("children",)

    def make_harness(self):
        return PoolHarness(ThreadPool, self.concurrency)


class TestOneThread(TestThreadPool):
    concurrency = 1
    unclaimed = ("children", "several at once")
