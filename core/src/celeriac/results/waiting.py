"""Waiting for results, in a thread and in an event loop, over the times in which the store cannot be reached."""

from __future__ import annotations

import builtins
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from contextlib import closing
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
        self._pump.end()
        self._subscription.close()

    # -- in a thread --------------------------------------------------------------------------------------------------

    def wait(
        self,
        task_ids: Iterable[str],
        timeout: float | None,
        on_ready: Callable[[dict[str, Any]], bool | None],
        on_interval: Callable[[], None] | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
        interval: float = 0.5,
    ) -> None:
        """Call `on_ready` with the meta of each task as it becomes ready, until all are or it returns True.

        Raises as `arriving`.
        """
        with closing(self.arriving(task_ids, timeout, on_interval, on_message, interval)) as metas:
            for meta in metas:
                if on_ready(meta):
                    return

    def arriving(
        self,
        task_ids: Iterable[str],
        timeout: float | None,
        on_interval: Callable[[], None] | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
        interval: float = 0.5,
    ) -> Generator[dict[str, Any], None, None]:
        """The meta of each task, as it becomes ready; one subscription for all.

        `on_message` gets each change of state, `on_interval` is called every `interval` seconds.  Raises `TimeoutError`
        when `timeout` seconds have passed, `StoreUnavailable` when the store stays out of reach, `ProtocolError` or
        `SecurityError` for a result that cannot be read.
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
                    yield from self._there_already(wanted, timeout or 0, on_message)
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
                yield from _ready_ones(found, wanted, on_message)
        finally:
            subscription.leave(waiter)

    def _there_already(
        self, wanted: set[str], timeout: float, on_message: Callable[[dict[str, Any]], None] | None
    ) -> Iterator[dict[str, Any]]:
        """For who has no time left: what is there is there, even where there was no time at all."""
        try:
            found = list(self.backend.fetch(list(wanted)).values())
        except StoreUnavailable as error:
            raise TimeoutError(_late(wanted, timeout)) from error
        yield from _ready_ones(found, wanted, on_message)
        if wanted:
            raise TimeoutError(_late(wanted, timeout))

    # -- in an event loop ---------------------------------------------------------------------------------------------

    async def arriving_in_loop(
        self,
        task_ids: Iterable[str],
        timeout: float | None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """As `arriving`, without blocking the loop.  Callbacks run in the loop."""
        import asyncio  # here, because it takes as long to import as all else together

        wanted = set(task_ids)
        if not wanted:
            return
        if timeout is not None and timeout <= 0:
            for meta in await asyncio.to_thread(lambda: list(self.arriving(wanted, timeout, None, on_message))):
                yield meta
            return
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        deadline = None if timeout is None else loop.time() + timeout

        def signal() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits in it any more
                loop.call_soon_threadsafe(event.set)

        subscription = self._subscription
        with self._pump.waiting(wanted, signal) as waiter:
            while wanted:
                try:
                    async with asyncio.timeout_at(deadline):
                        await event.wait()
                except builtins.TimeoutError as error:
                    raise TimeoutError(_late(wanted, timeout or 0)) from error
                event.clear()
                for meta in _ready_ones(subscription.take(waiter), wanted, on_message):
                    yield meta


def _ready_ones(
    found: Iterable[News], wanted: set[str], on_message: Callable[[dict[str, Any]], None] | None
) -> Iterator[dict[str, Any]]:
    """Those of the metas that end the wait for a task; raises the errors that have come instead of one."""
    for news in found:
        if isinstance(news, Exception):
            raise news
        meta = read_meta(news)
        if on_message is not None:
            on_message(meta)
        if meta["status"] in states.READY_STATES and meta["task_id"] in wanted:
            wanted.discard(meta["task_id"])
            yield meta


def _late(wanted: set[str], timeout: float) -> str:
    some = ", ".join(sorted(wanted)[:3])
    more = f" and {len(wanted) - 3} more" if len(wanted) > 3 else ""
    return f"no result after {timeout:g} s from {some}{more}: is a worker running that listens to the task's queue?"
