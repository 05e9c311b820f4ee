"""A pool of event loops on a real loop of the worker's, with an executor that calls a function of the test."""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kombu.asynchronous import Hub

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, PoolContext, Report
from celeriac_asyncio.pool import AsyncioPool


class FunctionExecutor:
    """Runs ``function(job)``, awaited where it is a coroutine function; what it returns is the detail."""

    def __init__(self, function: Callable[[Job], Any]) -> None:
        self._function = function

    def enter_thread(self) -> None:
        pass

    def awaits(self, job: Job) -> bool:
        return inspect.iscoroutinefunction(self._function)

    def run(self, job: Job) -> Report:
        started = time.monotonic()
        try:
            value = self._function(job)
        except Exception as error:  # noqa: BLE001  # as the real one, it reports whatever a task raises
            return Report(job.number, OutcomeKind.FAILURE, time.monotonic() - started, repr(error))
        return Report(job.number, OutcomeKind.SUCCESS, time.monotonic() - started, repr(value))

    async def run_async(self, job: Job) -> Report:
        started = time.monotonic()
        try:
            value = await self._function(job)
        except Exception as error:  # noqa: BLE001  # likewise
            return Report(job.number, OutcomeKind.FAILURE, time.monotonic() - started, repr(error))
        return Report(job.number, OutcomeKind.SUCCESS, time.monotonic() - started, repr(value))

    def flush(self, reports: list[Report]) -> list[Report]:
        return reports

    def close(self, exitcode: int = 0) -> None:
        pass


class Driver:
    """The worker's part: a loop, a pool, and when each report came."""

    executor_class = FunctionExecutor

    def __init__(self) -> None:
        self.hub = Hub()
        self.hub.call_repeatedly(0.005, lambda: None)  # so that `until` looks that often
        self.pool: AsyncioPool
        self.reports: dict[int, Report] = {}
        self._numbers = itertools.count(1)

    def start(
        self,
        function: Callable[[Job], Any] = lambda job: None,
        concurrency: int = 20,
        children: int = 2,
        *,
        executor: Callable[[], Any] | None = None,
        **options: Any,
    ) -> AsyncioPool:
        options["asyncio_children"] = children
        context = PoolContext(None, concurrency, executor or (lambda: FunctionExecutor(function)), options=options)
        self.pool = AsyncioPool(context)
        self.pool.start(self.hub, self._on_reports)
        return self.pool

    def _on_reports(self, reports: list[Report]) -> None:
        for report in reports:
            assert report.number not in self.reports, f"{report} comes after {self.reports[report.number]}"
            self.reports[report.number] = report

    def job(self, task: str = "", body: bytes = b"", **headers: Any) -> Job:
        headers = {"task": task, **headers}
        return Job(next(self._numbers), headers, body, "application/json", "utf-8", {"exchange": ""}, {})

    def submit(self, *jobs: Job) -> list[int]:
        assert len(jobs) <= self.pool.room()
        self.pool.submit(jobs)
        return [job.number for job in jobs]

    def until(self, condition: Callable[[], Any], timeout: float = 15.0, message: str = "") -> Any:
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout:g} s: {message or 'what the test waits for'}")
            self.hub.run_once()
        return value

    def until_reported(self, numbers: list[int], timeout: float = 15.0) -> list[Report]:
        self.until(lambda: self.reports.keys() >= set(numbers), timeout, f"reports of {numbers[:5]}...")
        return [self.reports[number] for number in numbers]


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    if hasattr(driver, "pool"):
        driver.pool.terminate()
    driver.hub.close()
