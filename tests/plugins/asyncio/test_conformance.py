"""The pool does what every pool must do, with plain functions and with coroutines."""

from __future__ import annotations

import pytest

from celeriac.testing.conformance import PoolHarness, PoolSuite
from celeriac.testing.conformance.pool_harness import PlayedAsyncExecutor, PlayedExecutor
from celeriac_asyncio.pool import AsyncioPool

SEVERAL = pytest.mark.parametrize("concurrency", [2, 8])
ONE = pytest.mark.parametrize("concurrency", [1])


class WithAnyConcurrency(PoolSuite):
    executor = PlayedExecutor
    start_method = None

    @pytest.fixture(autouse=True)
    def _with_options(self, concurrency):
        self.harness.pool.context.concurrency = concurrency
        self.harness.pool.context.options.update(asyncio_children=2, start_method=self.start_method)

    def make_harness(self):
        return PoolHarness(AsyncioPool, executor=self.executor)


@SEVERAL
class TestPlainFunctions(WithAnyConcurrency):
    unclaimed = ("jobs ahead",)


@ONE
class TestOnePlainFunction(WithAnyConcurrency):
    unclaimed = ("jobs ahead", "several at once")


class WithCoroutines(WithAnyConcurrency):
    executor = PlayedAsyncExecutor


@SEVERAL
class TestCoroutines(WithCoroutines):
    unclaimed = ("jobs ahead",)


@ONE
class TestOneCoroutine(WithCoroutines):
    unclaimed = ("jobs ahead", "several at once")


class WithNewInterpreters(WithCoroutines):
    start_method = "spawn"


@SEVERAL
class TestNewInterpreters(WithNewInterpreters):
    unclaimed = ("jobs ahead",)


@ONE
class TestOneInANewInterpreter(WithNewInterpreters):
    unclaimed = ("jobs ahead", "several at once")
