"""The pool does what every pool must do."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import PoolHarness, PoolSuite
from celeriac_prefork.pool import PreforkPool


@pytest.mark.parametrize("concurrency", [1, 2])
class TestPreforkPool(PoolSuite):
    @pytest.fixture(autouse=True)
    def _with_concurrency(self, concurrency):
        self.harness.pool.context.concurrency = concurrency

    def make_harness(self):
        return PoolHarness(PreforkPool)
