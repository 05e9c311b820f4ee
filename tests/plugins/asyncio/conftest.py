"""A pool of event loops on a real loop of the worker's."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pools.driver import FunctionExecutor, PoolDriver

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Report
from celeriac_asyncio.pool import AsyncioPool


class CoroutineExecutor(FunctionExecutor):
    """Awaits the function where it is a coroutine function."""

    def enter_thread(self) -> None:
        pass

    def awaits(self, job: Job) -> bool:
        return inspect.iscoroutinefunction(self._function)

    async def run_async(self, job: Job) -> Report:
        started = time.monotonic()
        try:
            value = await self._function(job)
        except Exception as error:  # noqa: BLE001  # as the real one, it reports whatever a task raises
            return Report(job.number, OutcomeKind.FAILURE, time.monotonic() - started, repr(error))
        return Report(job.number, OutcomeKind.SUCCESS, time.monotonic() - started, repr(value))


class Driver(PoolDriver):
    pool_class = AsyncioPool
    executor_class = CoroutineExecutor

    def start(
        self,
        function: Callable[[Job], Any] = lambda job: None,
        concurrency: int = 20,
        children: int = 2,
        **options: Any,
    ) -> AsyncioPool:
        return super().start(function, concurrency, asyncio_children=children, **options)


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()
