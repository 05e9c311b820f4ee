"""Steps that consume messages of their own: started again whenever the connection is there again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from celeriac.worker.begun.lane import JournaledLane
from celeriac.worker.kombu_lane import KombuConsumerLane
from celeriac.worker.pump import KombuPump, Listener

if TYPE_CHECKING:
    from celeriac.bootsteps import ConsumerStep
    from celeriac.worker.consumer.consumer import Consumer


class ConnectedSteps:
    """Made when the steps have been started for the first time."""

    def __init__(self, consumer: Consumer, steps: Sequence[ConsumerStep]) -> None:
        self._consumer = consumer
        self._steps = steps
        self._are_running = True
        #: Where the lane has ways of its own, nobody else turns the Kombu connection.
        self._pump: KombuPump | None = None

    def start(self) -> None:
        """Let messages come to the steps."""
        consumer = self._consumer
        listener = Listener(self._connected, self._lost)
        lane = consumer.lane
        if isinstance(lane, JournaledLane):
            lane = lane.lane
        if isinstance(lane, KombuConsumerLane) and lane.pump is not None:
            lane.pump.join(listener)
        else:
            rate = consumer.app.conf.broker_heartbeat_checkrate
            pump = self._pump = KombuPump(consumer.connection, consumer.hub, rate, "remote control and events")
            pump.open(listener)
            # Two connections to one broker: the first that reaches it again need not be waited for by the other.
            consumer.broker.on_return = pump.try_now

    def stop(self) -> None:
        """End that; tolerates never started and twice."""
        if self._pump is not None:
            self._pump.close()
            self._pump = None

    def _connected(self) -> None:
        if not self._are_running:
            self._are_running = True
            for step in self._steps:
                step.start(self._consumer)
            self._consumer.broker.try_now()

    def _lost(self) -> None:
        if self._are_running:
            self._are_running = False
            for step in reversed(self._steps):
                step.stop(self._consumer)
