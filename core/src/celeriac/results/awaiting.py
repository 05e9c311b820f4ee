"""Waiting in an event loop: one thread asks the store for all coroutines of the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from celeriac.exceptions import StoreUnavailable
from celeriac.results.subscription import Waiter

if TYPE_CHECKING:
    from celeriac.results.subscription import Subscription

#: Seconds for which the thread stays when no coroutine waits.
_IDLE_SECONDS: Final = 10.0


class Pump:
    """Leads on behalf of coroutines, which must not block."""

    def __init__(self, subscription: Subscription, pauses: Callable[[], Iterator[float]]) -> None:
        self._subscription = subscription
        self._pauses = pauses
        self._changed = threading.Condition()
        self._coroutines: set[Waiter] = set()
        self._own: Waiter | None = None
        self._runs = False
        self._ended = False

    def end(self) -> None:
        """Let the thread go, unless a coroutine waits; a later one starts another."""
        with self._changed:
            self._ended = not self._coroutines
            self._changed.notify()

    @contextmanager
    def waiting(self, task_ids: Iterable[str], signal: Callable[[], None]) -> Iterator[Waiter]:
        """A waiter for as long as the block lasts; `signal` is called from the thread.  Never blocks."""
        waiter = Waiter(task_ids, signal)
        self._subscription.enter(waiter)
        with self._changed:
            self._coroutines.add(waiter)
            self._ended = False
            if self._runs:
                self._changed.notify()
            else:
                self._runs = True
                threading.Thread(target=self._run, name="celeriac-results", daemon=True).start()
        try:
            yield waiter
        finally:
            self._subscription.leave(waiter)
            with self._changed:
                self._coroutines.discard(waiter)
                if not self._coroutines and self._own is not None:
                    self._subscription.stop(self._own)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._coroutines:
                    self._changed.wait_for(lambda: self._coroutines or self._ended, _IDLE_SECONDS)
                if not self._coroutines:
                    self._runs = False
                    return
                own = self._own = Waiter(())
            self._subscription.enter(own)
            try:
                self._serve(own)
            finally:
                self._own = None
                self._subscription.leave(own)

    def _serve(self, own: Waiter) -> None:
        """Lead until no coroutine waits any more."""
        pauses = self._pauses()
        while not own.done:
            try:
                self._subscription.receive(own, None)
            except StoreUnavailable as error:
                pause = next(pauses, None)
                if pause is not None:
                    time.sleep(pause)
                    continue
                self._fail(error)
            except Exception as error:  # noqa: BLE001  # belongs to those for whom this thread works
                self._fail(error)
            pauses = self._pauses()

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._subscription.fail(self._coroutines, error)
            self._coroutines.clear()
            if self._own is not None:
                self._subscription.stop(self._own)
