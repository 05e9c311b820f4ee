"""One watcher of the result store for all who wait in a process, whatever thread or event loop they are in.

Nobody but the waiting threads is needed: one of them (the leader) asks the store, and hands to the others what is
theirs; when it has what it came for, the next one leads.  So a lone `get` costs no other thread, and ten thousand
results cost one subscription.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from celeriac import states
from celeriac.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from celeriac.contracts.backend import Backend, ResultWatcher

#: Seconds after which a watcher that cannot be woken looks whether there is more to watch.
_SLICE: Final = 0.05
#: Results that a watcher which cannot forget may have in vain, before it is replaced.
_MOST_STALE: Final = 1000
#: Seconds after which an unused watcher is no longer trusted: its connection may have died meanwhile.
_IDLE_SECONDS: Final = 60.0

#: What arrives: the meta of a result, or the error with which its reading failed.
News = dict[str, Any] | Exception


class Waiter:
    """One who waits for some tasks.  `signal` is called, from any thread, when there is something for it to do."""

    __slots__ = ("asleep", "done", "event", "inbox", "signal", "task_ids")

    def __init__(self, task_ids: Iterable[str], signal: Callable[[], None] | None = None) -> None:
        self.task_ids = set(task_ids)
        self.event = threading.Event()
        self.signal = signal or self.event.set
        self.inbox: deque[News] = deque()
        #: It waits for the leader, so it can be told to lead.
        self.asleep = False
        #: It is to stop leading, whether or not something has come.
        self.done = False


class Subscription:
    """Who waits for what, and the watcher that they share."""

    def __init__(self, backend: Callable[[], Backend]) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._waiters: dict[str, list[Waiter]] = {}
        self._present: dict[Waiter, None] = {}
        self._leader: Waiter | None = None
        self._watcher: ResultWatcher | None = None
        self._new: set[str] = set()
        self._gone: set[str] = set()
        self._left_at = 0.0

    # -- for who waits ------------------------------------------------------------------------------------------------

    def enter(self, waiter: Waiter) -> None:
        """From now on `waiter` gets what is known of its tasks; never blocks."""
        with self._lock:
            idle = not self._present and time.monotonic() - self._left_at > _IDLE_SECONDS
            dropped = self._take_watcher() if idle and self._leader is None else None
            self._present[waiter] = None
            wake = not self._new
            for task_id in waiter.task_ids:
                waiters = self._waiters.get(task_id)
                if waiters is None:
                    self._waiters[task_id] = [waiter]
                    self._new.add(task_id)
                else:
                    waiters.append(waiter)
            if wake and self._new:
                self._wake_leader()
        _close(dropped)

    def receive(self, waiter: Waiter, timeout: float | None) -> list[News]:
        """What has come for `waiter`; nothing after `timeout` seconds, or sooner.

        Raises `StoreUnavailable`, after which it may be called again.
        """
        with self._lock:
            if waiter.inbox or waiter.done:
                return _emptied(waiter)
            lead = self._leader is None
            if lead:
                self._leader = waiter
            else:
                waiter.event.clear()
                waiter.asleep = True
        if lead:
            try:
                self._lead(waiter, timeout)
            finally:
                with self._lock:
                    self._leader = None
                    self._appoint()
        else:
            waiter.event.wait(timeout)
        with self._lock:
            waiter.asleep = False
            return _emptied(waiter)

    def take(self, waiter: Waiter) -> list[News]:
        """What has come for a `waiter` that never leads, after it was signalled; never blocks."""
        with self._lock:
            return _emptied(waiter)

    def leave(self, waiter: Waiter) -> None:
        """`waiter` waits no more; never blocks."""
        with self._lock:
            self._present.pop(waiter, None)
            for task_id in waiter.task_ids:
                waiters = self._waiters.get(task_id)
                if waiters is None or waiter not in waiters:
                    continue
                waiters.remove(waiter)
                if not waiters:
                    self._forget(task_id)
            self._left_at = time.monotonic()
            if self._leader is None:
                self._appoint()

    def stop(self, waiter: Waiter) -> None:
        """Make `waiter` return from `receive`."""
        with self._lock:
            waiter.done = True
            waiter.signal()
            if self._leader is waiter:
                self._wake_leader()

    def fail(self, waiters: Iterable[Waiter], error: Exception) -> None:
        """Hand `error` to all of `waiters`."""
        with self._lock:
            for waiter in waiters:
                waiter.inbox.append(error)
                waiter.signal()

    def close(self) -> None:
        """Close the watcher, unless somebody waits."""
        with self._lock:
            watcher = self._take_watcher() if self._leader is None else None
        _close(watcher)

    def abandon(self) -> ResultWatcher | None:
        """In a forked child: the parent's watcher, which must not be closed here."""
        return self._watcher

    # -- under the lock -----------------------------------------------------------------------------------------------

    def _appoint(self) -> None:
        for waiter in self._present:
            if waiter.asleep:
                waiter.signal()
                return

    def _wake_leader(self) -> None:
        if self._leader is not None and self._watcher is not None and self._watcher.shareable:
            self._watcher.wake()

    def _take_watcher(self) -> ResultWatcher | None:
        watcher, self._watcher = self._watcher, None
        return watcher

    def _forget(self, task_id: str) -> None:
        del self._waiters[task_id]
        self._new.discard(task_id)
        self._gone.add(task_id)

    def _hand_out(self, task_id: object, news: News, last: bool) -> None:
        waiters = self._waiters.get(task_id) if isinstance(task_id, str) else None
        if waiters is None or not isinstance(task_id, str):
            return
        for waiter in waiters:
            waiter.inbox.append(news)
            if waiter is not self._leader:
                waiter.signal()
        if last:
            self._forget(task_id)

    # -- leading ------------------------------------------------------------------------------------------------------

    def _lead(self, waiter: Waiter, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                metas = self._ask(left)
                with self._lock:
                    for meta in metas:
                        self._hand_out(meta.get("task_id"), meta, _is_final(meta.get("status")))
            except StoreUnavailable:
                self._drop()
                raise
            except Exception as error:  # noqa: BLE001  # one unreadable result must not be everybody's error
                self._drop()
                self._sift(error)
            except BaseException:  # what the watcher has handed over is lost: the next one begins anew
                self._drop()
                raise
            if waiter.inbox or waiter.done or (left is not None and left <= 0):
                return

    def _ask(self, timeout: float | None) -> list[dict[str, Any]]:
        watcher = self._prepared()
        if not watcher.shareable:
            timeout = _SLICE if timeout is None else min(timeout, _SLICE)
        return watcher.wait(timeout)

    def _prepared(self) -> ResultWatcher:
        """The watcher, watching what it should."""
        with self._lock:
            watcher, stale = self._watcher, None
            new, gone = self._new, self._gone
            if watcher is not None and not watcher.shareable and (gone & new or len(gone) > _MOST_STALE):
                watcher, stale = None, self._take_watcher()
            if watcher is None:
                new = set(self._waiters)
            self._new = set()
            if watcher is None or watcher.shareable:
                self._gone = set()
        _close(stale)
        if watcher is None:
            return self._opened(new)
        if gone and watcher.shareable:
            watcher.discard(gone)
        if new:
            watcher.add(new)
        return watcher

    def _opened(self, task_ids: set[str]) -> ResultWatcher:
        watcher = self._backend().watch()
        try:
            watcher.add(task_ids)
        except BaseException:
            watcher.close()
            raise
        with self._lock:
            self._watcher = watcher
        return self._prepared()  # who entered meanwhile had nothing to wake

    def _drop(self) -> None:
        with self._lock:
            watcher = self._take_watcher()
        _close(watcher)

    def _sift(self, error: Exception) -> None:
        """Something that was watched cannot be read: give that to who waits for it, and all else to the others.

        Raises `error` where everything can be read after all.
        """
        with self._lock:
            unread = [list(self._waiters)]
        found = False
        while unread:
            task_ids = unread.pop()
            try:
                metas = self._backend().fetch(task_ids)
            except StoreUnavailable:
                raise
            except Exception as failed:  # noqa: BLE001  # as in _lead
                middle = len(task_ids) // 2
                if middle:
                    unread += [task_ids[:middle], task_ids[middle:]]
                    continue
                found = True
                with self._lock:
                    self._hand_out(task_ids[0], failed, last=True)
            else:
                with self._lock:
                    for task_id, meta in metas.items():
                        self._hand_out(task_id, meta, _is_final(meta.get("status")))
        if not found:
            raise error


def _emptied(waiter: Waiter) -> list[News]:
    found = list(waiter.inbox)
    waiter.inbox.clear()
    return found


def _is_final(status: object) -> bool:
    return isinstance(status, str) and status in states.READY_STATES


def _close(watcher: ResultWatcher | None) -> None:
    if watcher is not None:
        watcher.close()
