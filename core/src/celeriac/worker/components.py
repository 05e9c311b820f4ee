"""The worker's own steps: timer, loop, pool and consumer.  Their names are those that Celery gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kombu.asynchronous import set_event_loop

from celeriac.app.names import symbol
from celeriac.bootsteps import ConsumerStep, StartStopStep, Step, in_order
from celeriac.contracts.pool import PoolContext
from celeriac.worker.connected_steps import ConnectedSteps
from celeriac.worker.consumer.blueprint import ConsumerBlueprint
from celeriac.worker.execution import executor_factory
from celeriac.worker.hub import WorkerHub
from celeriac.worker.new_process import recipe
from celeriac.worker.reloading import module_loader
from celeriac.worker.state_file import StateFile

if TYPE_CHECKING:
    from celeriac.worker.consumer.consumer import Consumer as TaskConsumer


class Timer(Step):
    """The calls that are yet to come; they belong to the loop."""

    def include_if(self, parent: Any) -> bool:
        # Only a name, so that steps may require it: the loop makes it.
        return False


class Hub(StartStopStep):
    """The event loop."""

    requires = (Timer,)

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


class Beat(StartStopStep):
    """Beat in a thread of the worker, for ``--beat``."""

    label = "Beat"
    requires = (Hub,)

    def include_if(self, parent: Any) -> bool:
        return bool(parent.options.get("beat"))

    def create(self, parent: Any) -> Any:
        from celeriac.beat import EmbeddedService  # most workers have none

        self._service = EmbeddedService(
            parent.app,
            schedule_filename=parent.options.get("schedule_filename"),
            scheduler_cls=parent.options.get("scheduler"),
        )
        return self._service

    def start(self, parent: Any) -> None:
        self._service.start()

    def stop(self, parent: Any) -> None:
        self._service.stop()

    terminate = stop


class Pool(StartStopStep):
    """What runs the tasks."""

    requires = (Hub,)

    def create(self, parent: Any) -> Any:
        kind = parent.pool_class
        context = PoolContext(
            parent.app,
            parent.concurrency,
            executor_factory(parent.app, parent.hostname),
            parent.hostname,
            parent.pool_options,
            module_loader(parent.app, parent.task_modules),
            lambda: recipe(parent.app, parent.task_modules, parent.hostname, parent.loglevel),
        )
        parent.pool = kind(context)
        return parent.pool

    def start(self, parent: Any) -> None:
        # The consumer is made after the pool.
        if parent.task_events:
            parent.pool.watch_starts(lambda runs: parent.consumer.on_started(runs))  # noqa: PLW0108  # as said
        parent.pool.start(parent.hub, lambda reports: parent.consumer.on_reports(reports))  # noqa: PLW0108  # as said

    def stop(self, parent: Any) -> None:
        parent.pool.stop()

    def terminate(self, parent: Any) -> None:
        parent.pool.terminate()

    def info(self, obj: Any) -> dict[str, Any]:
        return {"pool": obj.pool.info()}


class StateDB(StartStopStep):
    """The file in which revoked tasks outlive the worker; only with ``--statedb`` or ``worker_state_db``."""

    requires = (Hub,)
    conditional = True

    def __init__(self, parent: Any, statedb: str | None = None, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._path = statedb or parent.app.conf.worker_state_db
        self.enabled = bool(self._path)
        self._file: StateFile | None = None
        self._is_write_due = False

    def start(self, parent: Any) -> None:
        # The consumer, whose state it is, starts after this, and was made before.
        revocations = parent.consumer.state.revocations
        file = self._file = StateFile(self._path, parent.app, revocations)
        file.read()
        file.write()
        revocations.on_change = lambda: self._write_soon(parent.hub)

    def _write_soon(self, hub: Any) -> None:
        """Once, for all that is revoked in one turn of the loop."""
        if not self._is_write_due:
            self._is_write_due = True
            hub.call_soon(self._write)

    def _write(self) -> None:
        self._is_write_due = False
        if self._file is not None:
            self._file.write()

    def stop(self, parent: Any) -> None:
        file, self._file = self._file, None
        if file is not None:
            parent.consumer.state.revocations.on_change = None
            file.write()

    terminate = stop


class Consumer(StartStopStep):
    """What claims messages; starts after everything else, so that nothing is claimed that cannot run."""

    requires = (Pool,)
    last = True

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._options = kwargs
        self._connected: ConnectedSteps | None = None

    def create(self, parent: Any) -> Any:
        app = parent.app
        kind: type[TaskConsumer] = symbol(app.conf.worker_consumer)
        consumer = kind(
            app,
            parent.pool,
            parent.hub,
            parent.hostname,
            parent.queues,
            parent.listeners,
            parent.prefetch_multiplier,
            parent.is_stopping,
        )
        consumer.controller = parent
        steps = [*app.plugins.consumer_steps(), *in_order(app.steps["consumer"])]
        self._blueprint = consumer.blueprint = ConsumerBlueprint(steps)
        self._blueprint.apply(consumer, **self._options)
        parent.consumer = consumer
        return consumer

    def start(self, parent: Any) -> None:
        self._blueprint.start(parent.consumer)
        connected = [step for step in self._blueprint.order if isinstance(step, ConsumerStep)]
        if connected:
            self._connected = ConnectedSteps(parent.consumer, connected)
            self._connected.start()

    def stop(self, parent: Any) -> None:
        if self._connected is not None:
            self._connected.stop()
        self._blueprint.stop(parent.consumer)

    terminate = stop

    def info(self, obj: Any) -> dict[str, Any]:
        return self._blueprint.info(obj.consumer)
