"""The worker's own steps: the loop, the pool, the consumer."""

from __future__ import annotations

from typing import Any

from kombu.asynchronous import set_event_loop

from celeriac.bootsteps import Blueprint, ConsumerStep, StartStopStep, in_order
from celeriac.contracts.pool import PoolContext
from celeriac.worker.connected_steps import ConnectedSteps
from celeriac.worker.consumer import Consumer
from celeriac.worker.execution import executor_factory
from celeriac.worker.hub import WorkerHub
from celeriac.worker.lease_keeper import LeaseKeeper


class HubPart(StartStopStep):
    """The event loop."""

    name = "celeriac.worker.Hub"

    def create(self, parent: Any) -> Any:
        parent.hub = WorkerHub()
        parent.timer = parent.hub.timer
        return parent.hub

    def start(self, parent: Any) -> None:
        # The worker turns the loop itself; transports of Kombu's ask for it by this name.
        set_event_loop(parent.hub)

    def stop(self, parent: Any) -> None:
        parent.hub.close()

    terminate = stop


class PoolPart(StartStopStep):
    """What runs the tasks."""

    name = "celeriac.worker.Pool"
    requires = (HubPart,)

    def create(self, parent: Any) -> Any:
        kind = parent.pool_class
        context = PoolContext(
            parent.app,
            parent.concurrency,
            executor_factory(parent.app, parent.hostname),
            parent.hostname,
            parent.pool_options,
        )
        parent.pool = kind(context)
        return parent.pool

    def start(self, parent: Any) -> None:
        # The consumer is made after the pool.
        parent.pool.start(parent.hub, lambda reports: parent.consumer.on_reports(reports))  # noqa: PLW0108  # as said

    def stop(self, parent: Any) -> None:
        parent.pool.stop()

    def terminate(self, parent: Any) -> None:
        parent.pool.terminate()

    def info(self, obj: Any) -> dict[str, Any]:
        return {"pool": obj.pool.info()}


class ConsumerBlueprint(Blueprint):
    """Steps that live as long as the consumer."""

    name = "Consumer"


class ConsumerPart(StartStopStep):
    """What claims messages; starts after everything else, so that nothing is claimed that cannot run."""

    name = "celeriac.worker.Consumer"
    requires = (PoolPart,)
    last = True

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._options = kwargs
        self._connected: ConnectedSteps | None = None
        self._keeper: LeaseKeeper | None = None

    def create(self, parent: Any) -> Any:
        app = parent.app
        consumer = Consumer(
            app,
            parent.pool,
            parent.hub,
            parent.hostname,
            parent.queues,
            parent.listeners,
            parent.prefetch_multiplier,
            parent.is_stopping,
        )
        steps = [*app.plugins.consumer_steps(), *in_order(app.steps["consumer"])]
        self._blueprint = ConsumerBlueprint(steps).apply(consumer, **self._options)
        parent.consumer = consumer
        return consumer

    def start(self, parent: Any) -> None:
        consumer = parent.consumer
        consumer.start()
        if parent.pool.blocking:
            self._keeper = LeaseKeeper(consumer.lane)
            self._keeper.start()
        self._blueprint.start(consumer)
        connected = [step for step in self._blueprint.order if isinstance(step, ConsumerStep)]
        if connected:
            self._connected = ConnectedSteps(consumer, connected)
            self._connected.start()

    def stop(self, parent: Any) -> None:
        self._blueprint.stop(parent.consumer)
        for part in (self._connected, self._keeper):
            if part is not None:
                part.stop()
        parent.consumer.close()

    terminate = stop

    def info(self, obj: Any) -> dict[str, Any]:
        return self._blueprint.info(obj.consumer)
