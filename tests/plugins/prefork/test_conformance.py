"""The pool does what every pool must do."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import PoolHarness, PoolSuite
from celeriac_prefork.pool import PreforkPool


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
class TestPreforkPool(PoolSuite):
    concurrency = 2
    unclaimed = ()

    @pytest.fixture(autouse=True)
    def _with_options(self, start_method):
        self.harness.pool.context.options["start_method"] = start_method

    def make_harness(self):
        return PoolHarness(PreforkPool, self.concurrency)


class TestOneChild(TestPreforkPool):
    concurrency = 1
    unclaimed = ("several at once",)
