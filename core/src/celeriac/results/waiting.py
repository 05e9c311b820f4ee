"""Waiting for results, in a thread and in an event loop, over the times in which the store cannot be reached."""

from __future__ import annotations

import asyncio
import builtins
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from celeriac import states
from celeriac.exceptions import StoreUnavailable, TimeoutError
from celeriac.protocol.results import read_meta
from celeriac.results.awaiting import Pump
from celeriac.results.subscription import News, Subscription, Waiter

if TYPE_CHECKING:
    from celeriac.contracts.backend import Backend, ResultWatcher

#: Watchers of a parent process.  Collecting one could close what it shares with the parent.
_inherited: Final[list[ResultWatcher | None]] = []


class WaitingResults(ABC):
    """The part of `Results` that waits: one subscription, shared by all who wait in this process."""

    def __init__(self) -> None:
        self._subscription = Subscription(lambda: self.backend)
        self._pump = Pump(self._subscription, self._pauses)

    @property
    @abstractmethod
    def backend(self) -> Backend:
        """The result store."""

    @abstractmethod
    def _pauses(self) -> Iterator[float]:
        """Seconds to wait before each further try while the store is out of reach."""

    def wait_anew(self) -> None:
        """In a forked child: nobody waits here yet, and the parent's watcher is left alone."""
        _inherited.append(self._subscription.abandon())
        self._subscription = Subscription(lambda: self.backend)
        self._pump = Pump(self._subscription, self._pauses)

    def end_waiting(self) -> None:
        """End the subscription, unless somebody waits."""
        self._subscription.close()

    # -- waiting ------------------------------------------------------------------------------------------------------

    def wait(
        self,
        task_ids: Iterable[str],
        timeout: float | None,
        on_ready: Callable[[dict[str, Any]], bool | None],
        on_interval: Callable[[], None] | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
        interval: float = 0.5,
    ) -> None:
        """Call `on_ready` with the meta of each task as it becomes ready, until all are; one subscription for all.

        It ends before that when `on_ready` returns True.  Raises `TimeoutError` when `timeout` seconds have passed,
        `StoreUnavailable` when the store stays out of reach, `ProtocolError` or `SecurityError` for a result that
        cannot be read.
        """
        wanted = set(task_ids)
        if not wanted:
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        tick = None if on_interval is None else time.monotonic() + interval
        pauses = self._pauses()
        subscription = self._subscription
        waiter = Waiter(wanted)
        subscription.enter(waiter)
        try:
            while wanted:
                now = time.monotonic()
                if deadline is not None and deadline <= now:
                    self._look_once_more(wanted, timeout or 0, on_ready, on_message)
                    return
                if on_interval is not None and tick is not None and tick <= now:
                    on_interval()
                    tick = now + interval
                until = min((moment for moment in (deadline, tick) if moment is not None), default=None)
                left = None if until is None else max(0.0, until - now)
                try:
                    found = subscription.receive(waiter, left)
                except StoreUnavailable:
                    pause = next(pauses, None)
                    if pause is None:
                        raise
                    time.sleep(pause if left is None else min(pause, left))
                    continue
                pauses = self._pauses()
                if any(_settled(news, wanted, on_ready, on_message) for news in found):
                    return
        finally:
            subscription.leave(waiter)

    def _look_once_more(
        self,
        wanted: set[str],
        timeout: float,
        on_ready: Callable[[dict[str, Any]], bool | None],
        on_message: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        """For who has no time left: what is there is there, even where there was no time at all."""
        try:
            found = list(self.backend.fetch(list(wanted)).values())
        except StoreUnavailable as error:
            raise TimeoutError(_late(wanted, timeout)) from error
        if not any(_settled(news, wanted, on_ready, on_message) for news in found) and wanted:
            raise TimeoutError(_late(wanted, timeout))

    async def await_results(
        self,
        task_ids: Iterable[str],
        timeout: float | None,
        on_ready: Callable[[dict[str, Any]], bool | None],
        on_message: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """As `wait`, in an event loop, which it does not block."""
        wanted = set(task_ids)
        if not wanted:
            return
        if timeout is not None and timeout <= 0:
            await asyncio.to_thread(self.wait, wanted, timeout, on_ready, None, on_message)
            return
        try:
            async with asyncio.timeout(timeout) as limit, aclosing(self._pump.news(frozenset(wanted))) as arriving:
                async for news in arriving:
                    if _settled(news, wanted, on_ready, on_message) or not wanted:
                        return
        except builtins.TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(_late(wanted, timeout or 0)) from error


def _settled(
    news: News,
    wanted: set[str],
    on_ready: Callable[[dict[str, Any]], bool | None],
    on_message: Callable[[dict[str, Any]], None] | None,
) -> bool:
    """Pass on what has arrived; whether that was enough."""
    if isinstance(news, Exception):
        raise news
    meta = read_meta(news)
    if on_message is not None:
        on_message(meta)
    if meta["status"] not in states.READY_STATES or meta["task_id"] not in wanted:
        return False
    wanted.discard(meta["task_id"])
    return bool(on_ready(meta))


def _late(wanted: set[str], timeout: float) -> str:
    some = ", ".join(sorted(wanted)[:3])
    more = f" and {len(wanted) - 3} more" if len(wanted) > 3 else ""
    return f"no result after {timeout:g} s from {some}{more}: is a worker running that listens to the task's queue?"
