"""The timers of the worker's loop: Kombu's, which forget what was cancelled."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, Final

from kombu.asynchronous.timer import Entry, Timer

#: The longest that the loop sleeps between two looks, in seconds; whatever is scheduled meanwhile wakes it.
LONGEST_SLEEP: Final = 60.0
#: So many cancelled calls may wait for their time before they are looked for.
_CANCELLED: Final = 512


class WorkerTimer(Timer):
    """Kombu keeps a cancelled call until its time has come: those of a million tasks with time limits of an hour."""

    def __init__(self) -> None:
        super().__init__(max_interval=LONGEST_SLEEP)  # type: ignore[no-untyped-call]  # Kombu has few types
        self._cancelled = 0

    def Entry(  # type: ignore[override]  # Kombu's is a class; both are called to make one
        self, fun: Callable[..., Any], args: Any = None, kwargs: Any = None
    ) -> CountedEntry:
        """Make the entry of one call."""
        return CountedEntry(self, fun, args, kwargs)

    def pause(self) -> float:
        """Seconds until the next call is due, `LONGEST_SLEEP` at most."""
        queue = self._queue
        while queue and queue[0].entry.canceled:
            heapq.heappop(queue)
        return max(0.0, min(queue[0].eta - monotonic(), LONGEST_SLEEP)) if queue else LONGEST_SLEEP

    def due(self, limit: int) -> Iterator[Callable[[], Any]]:
        """Take out what is due by now, up to `limit` calls, the earliest first."""
        queue, now = self._queue, monotonic()
        while limit and queue and queue[0].eta <= now:
            entry = heapq.heappop(queue).entry
            if not entry.canceled:
                limit -= 1
                yield entry

    def call_repeatedly(
        self, secs: float, fun: Callable[..., Any], args: Any = (), kwargs: Any = None, priority: int = 0
    ) -> CountedEntry:
        """Call every `secs` seconds: what a worker does to keep house."""
        entry: CountedEntry = super().call_repeatedly(secs, fun, args, kwargs, priority)  # type: ignore[no-untyped-call]  # as above
        entry.repeats = True
        return entry

    def pause_before_single(self) -> float | None:
        """Seconds until the next call that comes once; None where there is none."""
        single = [scheduled.eta for scheduled in self._queue if _is_single(scheduled.entry)]
        return max(0.0, min(single) - monotonic()) if single else None

    def hasten(self, seconds: float) -> None:
        """Let every call that comes once come so much sooner, as if the time had passed."""
        self._queue[:] = [
            scheduled._replace(eta=scheduled.eta - seconds) if _is_single(scheduled.entry) else scheduled
            for scheduled in self._queue
        ]
        heapq.heapify(self._queue)

    def note_cancelled(self) -> None:
        """One more entry is cancelled; forgets them all when they are the greater part."""
        self._cancelled += 1
        if self._cancelled > _CANCELLED and 2 * self._cancelled > len(self._queue):
            self._cancelled = 0
            # In place: Kombu's Hub knows this very list.
            self._queue[:] = [scheduled for scheduled in self._queue if not scheduled.entry.canceled]
            heapq.heapify(self._queue)


class CountedEntry(Entry):
    """A call that is yet to come, and tells its timer when it is cancelled."""

    __slots__ = ("_timer", "repeats")

    def __init__(self, timer: WorkerTimer, fun: Callable[..., Any], args: Any, kwargs: Any) -> None:
        super().__init__(fun, args, kwargs)  # type: ignore[no-untyped-call]  # as above
        self._timer = timer
        self.repeats = False

    def cancel(self) -> None:
        """Forget the call; harmless when it has happened."""
        if not self.canceled:
            self.canceled = True
            self._timer.note_cancelled()


def _is_single(entry: CountedEntry) -> bool:
    return not (entry.repeats or entry.canceled)
