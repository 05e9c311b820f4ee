"""Waiting for results of one store, over the times in which it cannot be reached."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from celeriac.exceptions import StoreUnavailable
from celeriac.protocol.results import read_meta

if TYPE_CHECKING:
    from celeriac.contracts.backend import Backend, ResultWatcher


class Subscription:
    """One watcher, made anew when the store was out of reach; used by one thread, closed when it is left.

    `pauses` gives the seconds to wait before each further try; counted anew once the store has answered.
    """

    def __init__(self, backend: Backend, pauses: Callable[[], Iterator[float]]) -> None:
        self._backend = backend
        self._fresh = pauses
        self._pauses = pauses()
        self._watcher: ResultWatcher | None = None

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def wait(self, wanted: Collection[str], timeout: float | None) -> list[dict[str, Any]]:
        """The metas of `wanted` that have changed; empty after `timeout` seconds, and now and then before.

        Raises `StoreUnavailable` when the store stays out of reach.
        """
        try:
            if self._watcher is None:
                self._watcher = self._backend.watch()
                self._watcher.add(wanted)
            found = self._watcher.wait(timeout)
        except StoreUnavailable:
            pause = next(self._pauses, None)
            if pause is None:
                raise
            self._close()
            time.sleep(pause if timeout is None else min(pause, timeout))
            return []
        self._pauses = self._fresh()
        return [read_meta(meta) for meta in found]

    def _close(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()
