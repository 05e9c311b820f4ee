"""A pool on a real loop, with an executor that calls a function of the test in place of tasks."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from kombu.asynchronous import Hub

from celeriac.contracts.outcome import OutcomeKind
from celeriac.contracts.pool import Job, Pool, PoolContext, Report

Flush = Callable[[list[Report]], list[Report]]


class FunctionExecutor:
    """Runs ``function(job)``; what it returns is the detail of the report."""

    def __init__(self, function: Callable[[Job], Any], flush: Flush | None = None) -> None:
        self._function = function
        if flush is not None:
            self.flush = flush

    def run(self, job: Job) -> Report:
        started = time.monotonic()
        try:
            value = self._function(job)
        except Exception as error:  # noqa: BLE001  # as the real one, it reports whatever a task raises
            return Report(job.number, OutcomeKind.FAILURE, time.monotonic() - started, repr(error))
        return Report(job.number, OutcomeKind.SUCCESS, time.monotonic() - started, repr(value))

    def flush(self, reports: list[Report]) -> list[Report]:
        return reports

    def close(self, exitcode: int = 0) -> None:
        pass


class PoolDriver:
    """The worker's part: a loop, a pool, and when each report came."""

    pool_class: type[Pool]
    executor_class: type[FunctionExecutor] = FunctionExecutor

    def __init__(self) -> None:
        self.hub = Hub()
        self.hub.call_repeatedly(0.005, lambda: None)  # so that `until` looks that often
        self.pool: Any = None
        self.reports: dict[int, Report] = {}
        self.arrivals: dict[int, float] = {}
        self._numbers = itertools.count(1)

    def start(
        self,
        function: Callable[[Job], Any] = lambda job: None,
        concurrency: int = 2,
        *,
        flush: Flush | None = None,
        executor: Callable[[], Any] | None = None,
        **options: Any,
    ) -> Any:
        make = executor or (lambda: self.executor_class(function, flush))
        self.pool = self.pool_class(PoolContext(app=None, concurrency=concurrency, executor=make, options=options))
        self.pool.start(self.hub, self._on_reports)
        return self.pool

    def close(self) -> None:
        if self.pool is not None:
            self.pool.terminate()
        self.hub.close()

    def _on_reports(self, reports: list[Report]) -> None:
        assert threading.current_thread() is threading.main_thread()
        now = time.monotonic()
        for report in reports:
            assert report.number not in self.reports, f"{report} comes after {self.reports[report.number]}"
            self.reports[report.number] = report
            self.arrivals[report.number] = now

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
