"""Reports of a child on their way to its parent: stored in batches, by a thread, so that the loop never waits."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from celeriac.contracts.outcome import OutcomeKind
from celeriac.pools.frames import Begun, frame_of_reports, frame_of_starts

if TYPE_CHECKING:
    from celeriac.contracts.pool import Report

logger = logging.getLogger(__name__)

#: The exit code of a child that could not report (EX_IOERR of sysexits.h).
CANNOT_REPORT: Final = 74


class Outbox:
    """One batch is on its way at a time; what comes meanwhile is the next.  All is called in the loop's thread."""

    def __init__(
        self,
        flush: Callable[[list[Report]], list[Report]],
        send: Callable[[bytes], object],
        on_sent: Callable[[int], None],
    ) -> None:
        self._flush = flush
        self._send = send
        #: Called with the number of reports of each batch.
        self._on_sent = on_sent
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "celeriac-reports")
        self._reports: list[Report] = []
        self._begun: list[Begun] = []
        self._is_busy = False
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self, report: Report) -> None:
        """Have a report stored and sent."""
        self._reports.append(report)
        self._go()

    def tell_start(self, number: int, since: float) -> None:
        """Have the start of a job told, before its report."""
        self._begun.append((number, since))
        self._go()

    async def drain(self) -> None:
        """Wait until all is sent."""
        await self._empty.wait()

    def _go(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._empty.clear()
            # At the end of this turn, with what else ends in it.
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        if not self._reports and not self._begun:
            self._is_busy = False
            self._empty.set()
            return
        reports, self._reports = self._reports, []
        begun, self._begun = self._begun, []
        if begun:
            self._send_or_end(frame_of_starts(begun))
        if any(report.stored is not None for report in reports):
            self._loop.run_in_executor(self._thread, self._deliver, reports).add_done_callback(
                lambda _: self._sent(len(reports))
            )
        else:
            self._deliver(reports)
            self._sent(len(reports))

    def _sent(self, count: int) -> None:
        self._on_sent(count)
        self._loop.call_soon(self._next)

    def _deliver(self, reports: list[Report]) -> None:
        if not reports:
            return
        try:
            stored = self._flush(reports)
        except Exception as error:
            logger.critical("Storing results failed in a way that the store should not.", exc_info=True)
            failure = repr(error)
            stored = [report._replace(kind=OutcomeKind.STORE_FAILED, detail=failure, stored=None) for report in reports]
        self._send_or_end(frame_of_reports(stored))

    def _send_or_end(self, frame: bytes) -> None:
        try:
            self._send(frame)
        except Exception:
            logger.critical("Reports could not be sent; this child ends, and its jobs count as lost.", exc_info=True)
            os._exit(CANNOT_REPORT)
