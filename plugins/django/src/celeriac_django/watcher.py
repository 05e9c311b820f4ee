"""Waiting for results: a database that wakes nobody is asked, ever more rarely while nothing happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from celeriac.contracts import ResultWatcher
from celeriac.exceptions import StoreUnavailable
from celeriac_django import rows
from celeriac_django.models import TaskResult
from celeriac_django.reach import connected

if TYPE_CHECKING:
    from celeriac_django.backend import DjangoBackend

#: Seconds between two looks: at first, at most, and by how much it grows.
_FIRST: Final = 0.02
_MOST: Final = 0.5
_GROWTH: Final = 1.5
#: Up to so many tasks are looked up by their ids; more by reading what has changed.
_FEW: Final = 200
#: Nanoseconds by which the clocks of those who write may differ, and a write may take.
_SKEW: Final = 10_000_000_000


class DjangoResultWatcher(ResultWatcher):
    """One query a look, however many tasks are watched."""

    shareable: ClassVar[bool] = True

    def __init__(self, backend: DjangoBackend) -> None:
        self._backend = backend
        #: By task, the stamp of the row that was reported last.
        self._watched: dict[str, int] = {}
        self._unread: set[str] = set()
        self._looked_from = time.time_ns()
        self._woken = threading.Event()
        self._closed = False

    def add(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            if task_id not in self._watched:
                self._watched[task_id] = 0
                self._unread.add(task_id)

    def discard(self, task_ids: Iterable[str]) -> None:
        for task_id in task_ids:
            self._watched.pop(task_id, None)
            self._unread.discard(task_id)

    def wake(self) -> None:
        self._woken.set()

    def wait(self, timeout: float | None) -> list[dict[str, Any]]:
        if self._closed:
            raise StoreUnavailable("this watcher was closed")
        monotonic_deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST
        while True:
            if found := self._news():
                return found
            left = pause if monotonic_deadline is None else monotonic_deadline - time.monotonic()
            if left <= 0 or self._woken.wait(min(pause, left)):
                self._woken.clear()
                return []
            pause = min(pause * _GROWTH, _MOST)

    def _news(self) -> list[dict[str, Any]]:
        with connected():
            changed = self._changed()
            found = rows.read(changed) if changed else []
        self._unread.clear()  # not before: had that failed, the next call reads them
        news = []
        for row in found:
            if self._watched.get(row.task_id, row.stamp) != row.stamp:
                self._watched[row.task_id] = row.stamp
                news.append(self._backend.decoded(row))
        return news

    def _changed(self) -> list[str]:
        """The tasks whose rows may be others than those that were reported."""
        if not self._watched:
            return []
        if len(self._watched) <= _FEW:
            return self._other_stamps(TaskResult.objects.filter(task_id__in=list(self._watched)))
        since, self._looked_from = self._looked_from - _SKEW, time.time_ns()
        found = self._other_stamps(TaskResult.objects.filter(stamp__gte=since))
        return list({*found, *self._unread})

    def _other_stamps(self, query: Any) -> list[str]:
        stamps = query.order_by().values_list("task_id", "stamp")
        return [task_id for task_id, stamp in stamps if self._watched.get(task_id, stamp) != stamp]

    def close(self) -> None:
        self._closed = True
        self._woken.set()
