"""The pool does what every pool must do, with plain functions and with coroutines."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import PoolHarness, PoolSuite
from celeriac.testing.conformance.pool_harness import PlayedAsyncExecutor, PlayedExecutor
from celeriac_asyncio.pool import AsyncioPool


@pytest.mark.parametrize("concurrency", [1, 2, 8])
class WithAnyConcurrency(PoolSuite):
    __test__ = False
    executor = PlayedExecutor

    @pytest.fixture(autouse=True)
    def _with_concurrency(self, concurrency):
        self.harness.pool.context.concurrency = concurrency
        self.harness.pool.context.options["asyncio_children"] = 2

    def make_harness(self):
        return PoolHarness(AsyncioPool, executor=self.executor)


class TestPlainFunctions(WithAnyConcurrency):
    __test__ = True


class TestCoroutines(WithAnyConcurrency):
    __test__ = True
    executor = PlayedAsyncExecutor


class TestNewInterpreters(TestCoroutines):
    @pytest.fixture(autouse=True)
    def _with_start_method(self):
        self.harness.pool.context.options["start_method"] = "spawn"
