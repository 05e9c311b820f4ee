"""A worker: its options, its steps, its loop, its end."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from celeriac import signals
from celeriac.bootsteps import Blueprint
from celeriac.exceptions import ImproperlyConfigured
from celeriac.protocol.origin import nodename
from celeriac.worker.signalling import Stop, StopSignals
from celeriac.worker.steps import ConsumerPart, HubPart, PoolPart

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.outcome import Outcome
    from celeriac.contracts.pool import Pool
    from celeriac.worker.consumer import Consumer

logger = logging.getLogger("celeriac.worker")


class WorkerBlueprint(Blueprint):
    """The worker's own steps; those of plugins and users come on top."""

    name = "Worker"
    default_steps = (HubPart, PoolPart, ConsumerPart)


class WorkController:
    """One worker.  `start` runs it until it is told to stop.

    Keywords are the options of ``celeriac worker``; what is None comes from the configuration.  Options of plugins
    and users are handed to all steps.
    """

    hub: Any
    pool: Pool
    consumer: Consumer

    def __init__(
        self,
        app: Celery,
        hostname: str | None = None,
        concurrency: int | str | None = None,
        pool: Any = None,
        pool_cls: Any = None,
        queues: str | Iterable[str] | None = None,
        exclude_queues: str | Iterable[str] | None = None,
        include: Sequence[str] = (),
        prefetch_multiplier: int | None = None,
        max_tasks_per_child: int | None = None,
        max_memory_per_child: int | None = None,
        time_limit: float | None = None,
        soft_time_limit: float | None = None,
        purge: bool = False,
        loglevel: Any = None,
        ready_callback: Callable[[WorkController], None] | None = None,
        **options: Any,
    ) -> None:
        self.app = app
        conf = app.conf
        self.hostname = _hostname(hostname)
        self.options = options
        self.loglevel = loglevel
        self.prefetch_multiplier = prefetch_multiplier
        self._include = tuple(include)
        self._purge = purge
        self._ready_callback = ready_callback
        self.exit_code = 0
        app.install_fixups()
        app.loader.on_worker_init()
        for fixup in app.fixups:
            fixup.on_worker_init()
        signals.celeryd_init.send(sender=self.hostname, instance=self, conf=conf, options=options)
        app.loader.import_task_modules(dict.fromkeys((*conf.imports, *conf.include, *self._include)))
        app.finalize()
        self.pool_name = pool_cls or pool or conf.worker_pool
        self.pool_class: type[Pool] = app.plugins.driver("pool", self.pool_name)
        self.concurrency = concurrency_of(conf.worker_concurrency if concurrency is None else concurrency)
        self.pool_options = {
            "max_tasks_per_child": _either(max_tasks_per_child, conf.worker_max_tasks_per_child),
            "max_memory_per_child": _either(max_memory_per_child, conf.worker_max_memory_per_child),
            "time_limit": _either(time_limit, conf.task_time_limit),
            "soft_time_limit": _either(soft_time_limit, conf.task_soft_time_limit),
        }
        if queues:
            app.amqp.queues.select(queues)
        if exclude_queues:
            app.amqp.queues.deselect(exclude_queues)
        self.queues = list(app.amqp.queues.consume_from.values())
        if not self.queues:
            raise ImproperlyConfigured("this worker would listen to no queue: check --queues and --exclude-queues")
        self.listeners: Sequence[Callable[[Outcome], None]] = app.plugins.outcome_listeners()
        steps = [*app.plugins.worker_steps(), *sorted(app.steps["worker"], key=lambda step: step.name)]
        self.blueprint = WorkerBlueprint(steps).apply(self, **options)
        signals.worker_init.send(sender=self)
        signals.celeryd_after_setup.send(sender=self.hostname, instance=self, conf=conf)
        self._stop = Stop.NONE

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({self.blueprint.human_state()})>"

    # -- running ------------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Run until stopped; gives the exit code.  Raises what a step raises at its start."""
        with StopSignals(self):
            try:
                if self._purge:
                    self._discard_messages()
                self.blueprint.start(self)
                signals.worker_ready.send(sender=self.consumer)
                logger.info("%s ready.", self.hostname)
                if self._ready_callback is not None:
                    self._ready_callback(self)
                self._run()
            finally:
                self._end()
        return self.exit_code

    def _run(self) -> None:
        turn = self.hub.run_once
        while self._stop is Stop.NONE:
            turn()
        if self._stop is Stop.WARM:
            logger.warning("Warm shutdown: finishing %d running tasks", self.consumer.running)
            signals.worker_shutting_down.send(sender=self.hostname, sig="TERM", how="Warm", exitcode=self.exit_code)
            self.consumer.stop_claiming()
            while self.consumer.running and self._stop is Stop.WARM:
                turn()
        if self._stop is Stop.COLD:
            logger.warning("Cold shutdown: stopping %d running tasks", self.consumer.running)
            signals.worker_shutting_down.send(sender=self.hostname, sig="QUIT", how="Cold", exitcode=self.exit_code)
            self.consumer.stop_claiming()
            self.pool.terminate()
            self.consumer.abandon_running()

    def _end(self) -> None:
        self.blueprint.stop(self)
        signals.worker_shutdown.send(sender=self)

    def _discard_messages(self) -> None:
        with self.app.connection_for_write() as connection:
            found = sum(queue(connection.default_channel).purge() or 0 for queue in self.queues)
        logger.warning("Discarded %d messages", found)

    # -- stopping -----------------------------------------------------------------------------------------------------

    def request_stop(self, how: Stop) -> None:
        """Stop as soon as the loop comes round; safe in a signal handler and from other threads."""
        if how.value > self._stop.value:
            self._stop = how
            if getattr(self, "hub", None) is not None:
                self.hub.call_soon(_nothing)

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Finish what runs, give back the rest, end."""
        self._set_exit_code(exitcode)
        self.request_stop(Stop.WARM)

    def terminate(self, in_sighandler: bool = False) -> None:
        """End at once."""
        self.request_stop(Stop.COLD)

    def _set_exit_code(self, code: int | None) -> None:
        if code is not None:
            self.exit_code = code

    # -- facts --------------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Facts for ``inspect stats`` and health checks."""
        return {"pid": os.getpid(), "hostname": self.hostname, **self.blueprint.info(self)}


def concurrency_of(value: int | str | None) -> int:
    """How many tasks run at once: a number, or the processors that this process may use.

    Raises `ImproperlyConfigured` for anything else.
    """
    if value in {None, "", "auto", 0, "0"}:
        try:
            return len(os.sched_getaffinity(0))
        except AttributeError:  # not on this platform
            return os.cpu_count() or 2
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise ImproperlyConfigured(f"worker_concurrency must be a number from 1, or 'auto', not {value!r}")
    return number


def _hostname(given: str | None) -> str:
    """The node name, with %h, %n and %d replaced."""
    if not given:
        return nodename("celery")
    import socket

    host = socket.gethostname()
    name, _, domain = host.partition(".")
    for sign, value in (("%h", host), ("%n", name), ("%d", domain), ("%i", ""), ("%I", "")):
        given = given.replace(sign, value)
    return given if "@" in given else f"{given}@{host}"


def _either(given: Any, configured: Any) -> Any:
    return configured if given is None else given


def _nothing() -> None:
    return None
