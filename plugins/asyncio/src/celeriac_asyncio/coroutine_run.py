"""A job that runs in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from celeriac.exceptions import SoftTimeLimitExceeded
from celeriac_asyncio.driving import drive
from celeriac_asyncio.run import JobRun

if TYPE_CHECKING:
    from celeriac.contracts.limits import Limits
    from celeriac.contracts.pool import AsyncExecutor, Job, Report


class CoroutineRun(JobRun):
    """Runs in an asyncio task of its own, with a copy of the loop's context."""

    def __init__(
        self, job: Job, limits: Limits, on_end: Callable[[JobRun, Report], None], executor: AsyncExecutor
    ) -> None:
        super().__init__(job, limits, on_end)
        self._executor = executor
        self._task: asyncio.Task[Report]
        self._is_interrupted = False

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(self._on_done)

    async def _run(self) -> Report:
        try:
            report: Report = await drive(self._executor.run_async(self.job), self._swap)
            return report
        except (SystemExit, KeyboardInterrupt) as error:  # asyncio would end its loop
            return self._report_of_escaped(error)

    def _swap(self) -> BaseException | None:
        if not self._is_interrupted:
            return None
        self._is_interrupted = False
        self._task.uncancel()
        return SoftTimeLimitExceeded()

    def _interrupt(self) -> None:
        self._is_interrupted = True
        self._task.cancel()

    def _cancel(self) -> None:
        self._is_interrupted = False
        self._task.cancel()

    def _on_done(self, task: asyncio.Task[Report]) -> None:
        if task.cancelled():
            self._end(self._report_of_cancelled())
        elif (error := task.exception()) is not None:
            self._end(self._report_of_escaped(error))
        else:
            self._end(task.result())
