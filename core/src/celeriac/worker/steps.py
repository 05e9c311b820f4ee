"""The worker's own steps: the loop, the pool, the consumer."""

from __future__ import annotations

from typing import Any

from celeriac.bootsteps import Blueprint, StartStopStep
from celeriac.contracts.pool import PoolContext
from celeriac.worker.consumer import Consumer
from celeriac.worker.execution import executor_factory
from celeriac.worker.hub import WorkerHub


class HubPart(StartStopStep):
    """The event loop."""

    name = "celeriac.worker.Hub"

    def create(self, parent: Any) -> Any:
        parent.hub = WorkerHub()
        parent.timer = parent.hub.timer
        return parent.hub

    def start(self, parent: Any) -> None:
        """The worker turns the loop itself."""

    def stop(self, parent: Any) -> None:
        parent.hub.close()

    terminate = stop


class PoolPart(StartStopStep):
    """What runs the tasks."""

    name = "celeriac.worker.Pool"
    requires = (HubPart,)

    def create(self, parent: Any) -> Any:
        kind = parent.pool_class
        in_process = getattr(kind, "blocking", False)
        context = PoolContext(
            parent.app,
            parent.concurrency,
            executor_factory(parent.app, parent.hostname, in_child=not in_process),
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
        )
        steps = [*app.plugins.consumer_steps(), *sorted(app.steps["consumer"], key=lambda step: step.name)]
        self._blueprint = ConsumerBlueprint(steps).apply(consumer, **self._options)
        parent.consumer = consumer
        return consumer

    def start(self, parent: Any) -> None:
        parent.consumer.start()
        self._blueprint.start(parent.consumer)

    def stop(self, parent: Any) -> None:
        self._blueprint.stop(parent.consumer)
        parent.consumer.close()

    terminate = stop
