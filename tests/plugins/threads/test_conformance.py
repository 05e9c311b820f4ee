"""The pool does what every pool must do."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import PoolHarness, PoolSuite
from celeriac_threads.pool import ThreadPool


@pytest.mark.parametrize("concurrency", [1, 2])
class TestThreadPool(PoolSuite):
    @pytest.fixture(autouse=True)
    def _with_concurrency(self, concurrency):
        self.harness.pool.context.concurrency = concurrency

    def make_harness(self):
        return PoolHarness(ThreadPool)
