"""Renews leases from a thread of its own, where the tasks keep the loop from turning."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celeriac.contracts.broker import ConsumerLane

logger = logging.getLogger("celeriac.worker.leases")


class LeaseKeeper:
    """For pools whose tasks run in the loop's own thread, and lanes whose claims run out."""

    def __init__(self, lane: ConsumerLane) -> None:
        self._renew = lane.keeper() if lane.renew_interval else None
        self._interval = lane.renew_interval
        self._is_stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; nothing happens where there is nothing to renew."""
        if self._renew is not None:
            self._thread = threading.Thread(target=self._keep, name="celeriac-leases", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for a renewal under way; tolerates never started and twice."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _keep(self) -> None:
        renew = self._renew
        assert renew is not None
        while not self._is_stopped.wait(self._interval):
            try:
                renew()
            except Exception as error:  # noqa: BLE001  # of any lane; the next time it may succeed
                logger.error("Could not renew the leases of claimed messages: %r", error)
