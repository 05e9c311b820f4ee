"""What a consumer does every few seconds: renew its leases, give back what it holds too much, tell of the lost."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from celeriac.contracts.broker import ConsumerLane, LaneCapabilities
from celeriac.exceptions import StoreUnavailable
from celeriac.worker.outlived import successes

if TYPE_CHECKING:
    from celeriac.contracts.broker import Delivery
    from celeriac.contracts.loop import Timer
    from celeriac.worker.consumer.consumer import Consumer

logger = logging.getLogger("celeriac.worker.upkeep")

#: Seconds between two looks for begun messages whose worker has died.
_LOST_INTERVAL: Final = 5.0
#: Seconds between two looks for messages that wait here although another worker could run them.
_LEAN_INTERVAL: Final = 1.0


class Upkeep:
    """Runs while its consumer claims."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._timers: list[Timer] = []
        self._monotonic_report = 0.0
        #: Of these the result store could not be asked yet whether they have ended.
        self._untold: list[Delivery] = []

    def start(self, lane: ConsumerLane) -> None:
        """Do what this lane can, beginning with the tasks that died with other workers."""
        repeatedly = self._consumer.hub.call_repeatedly
        if LaneCapabilities.BEGIN_TRACE in lane.capabilities:
            self._find_lost()
            self._timers.append(repeatedly(_LOST_INTERVAL, self._find_lost))
        if LaneCapabilities.GIVE_BACK in lane.capabilities:
            self._timers.append(repeatedly(_LEAN_INTERVAL, self._lean))
        if lane.renew_interval:
            self._timers.append(repeatedly(lane.renew_interval, self._renew))

    def stop(self) -> None:
        """Tolerates never started and twice."""
        while self._timers:
            self._timers.pop().cancel()

    def note_activity(self) -> None:
        """A job has ended, or the first one begins."""
        self._monotonic_report = time.monotonic()

    def _renew(self) -> None:
        consumer = self._consumer
        try:
            consumer.lane.renew()
        except consumer.app.connection_errors as error:
            if not consumer.broker.is_doubted:  # else that has been said, and is said again by whoever tries
                logger.error("Could not renew the leases of %d messages: %s", consumer.held, error)
            self._note_away(error)

    def _find_lost(self) -> None:
        consumer = self._consumer
        if not consumer.is_claiming:
            return
        try:
            found = consumer.lane.lost()
        except consumer.app.connection_errors as error:
            self._note_away(error)
            return
        self._untold += found
        if self._untold:
            try:
                consumer.tell_of_lost(self._untold, successes(consumer.app, self._untold))
            except StoreUnavailable as error:
                logger.error("%d tasks of dead workers wait for the result store: %s", len(self._untold), error)
            else:
                self._untold = []

    def _note_away(self, error: BaseException) -> None:
        consumer = self._consumer
        if not consumer.broker.is_away:
            consumer.broker.note_away(error, consumer.wake)

    def _lean(self) -> None:
        """Give back what was claimed while tasks were fast, and has waited here since they became slow."""
        consumer = self._consumer
        if not consumer.is_claiming:
            return
        if consumer.running >= consumer.window.concurrency:
            consumer.window.note_silence(time.monotonic() - self._monotonic_report)
        consumer.give_back_excess(_LEAN_INTERVAL)
