"""A worker: its options, its steps, its loop, its end."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Final

from celeriac import signals
from celeriac.app.loggers import level_of
from celeriac.app.queues import worker_direct
from celeriac.bootsteps import RUN, Blueprint, in_order
from celeriac.exceptions import ImproperlyConfigured, WorkerShutdown, WorkerTerminate
from celeriac.pools.processors import processors
from celeriac.protocol.origin import node_named
from celeriac.worker.autoscale import WorkerComponent as Autoscaling
from celeriac.worker.autoscale import bounds
from celeriac.worker.components import Beat, Hub, StateDB, Timer
from celeriac.worker.components import Consumer as ConsumerPart
from celeriac.worker.components import Pool as PoolPart
from celeriac.worker.figures import figures
from celeriac.worker.health.step import Health
from celeriac.worker.pool_names import pool_named
from celeriac.worker.purging import discard_messages
from celeriac.worker.signalling import Stop, WorkerSignals

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.outcome import Outcome
    from celeriac.contracts.pool import Pool
    from celeriac.worker.consumer.consumer import Consumer
    from celeriac.worker.hub import WorkerHub

logger = logging.getLogger("celeriac.worker")

#: Seconds after which one who waits for the loop looks whether it still turns.
_A_LOOK: Final = 0.1


class WorkerBlueprint(Blueprint):
    """The worker's own steps; those of plugins and users come on top."""

    name = "Worker"
    default_steps = (Timer, Hub, StateDB, PoolPart, Autoscaling, Beat, Health, ConsumerPart)


class WorkController:
    """One worker.  `start` runs it until it is told to stop.

    Keywords are the options of ``celeriac worker``; what is None comes from the configuration.  Options of plugins
    and users are handed to all steps.
    """

    #: Set by ``app.Worker``, the class of that app's workers.
    app: Celery
    hub: WorkerHub
    pool: Pool
    consumer: Consumer

    def __init__(
        self,
        app: Celery | None = None,
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
        pool_start_method: str | None = None,
        autoscale: Any = None,
        purge: bool = False,
        loglevel: Any = None,
        task_events: bool | None = None,
        ready_callback: Callable[[WorkController], None] | None = None,
        **options: Any,
    ) -> None:
        app = self.app = self.app if app is None else app
        conf = app.conf
        self.hostname = node_named(hostname)
        self.options = options
        self.loglevel = None if loglevel is None else level_of(loglevel)
        #: Whether events of tasks are sent from the start.
        self.task_events = bool(task_events or conf.worker_send_task_events)
        self.prefetch_multiplier = prefetch_multiplier
        self.exit_code = 0
        #: How far the worker has been asked to stop.
        self.stop_requested = Stop.NONE
        #: The signal that asked for it, for `worker_shutting_down`.
        self.stop_signal: str | None = None
        #: Whoever has started the worker is to start another one when this has ended.
        self.restart_requested = False
        self._soft_timeout: float = conf.worker_soft_shutdown_timeout
        self._has_run = False
        #: In which `start` runs.
        self._thread: int | None = None
        self._purge = purge
        self._ready_callback = ready_callback
        app.install_fixups()
        app.loader.init_worker()
        for fixup in app.fixups:
            fixup.on_worker_init()
        signals.celeryd_init.send(sender=self.hostname, instance=self, conf=conf, options=options)
        signals.import_modules.send(sender=app)
        #: The modules that were imported for their tasks.
        self.task_modules = list(dict.fromkeys((*app.loader.default_modules, *include)))
        app.loader.import_task_modules(self.task_modules)
        app.finalize()
        for complaint in conf.unknown():
            logger.warning("Configuration: %s", complaint)
        self.pool_name = pool_named(pool_cls or pool or conf.worker_pool)
        self.pool_class: type[Pool] = app.plugins.driver("pool", self.pool_name)
        self.concurrency = concurrency_of(
            conf.worker_concurrency if concurrency is None else concurrency, self.pool_class.auto_concurrency
        )
        #: The largest and smallest concurrency, where the pool is to follow its load.
        self.autoscale = bounds(autoscale)
        if self.autoscale is not None:
            self.concurrency = self.autoscale[1]
        self.pool_options = {
            "max_tasks_per_child": _either(max_tasks_per_child, conf.worker_max_tasks_per_child),
            "max_memory_per_child": _either(max_memory_per_child, conf.worker_max_memory_per_child),
            "time_limit": _either(time_limit, conf.task_time_limit),
            "soft_time_limit": _either(soft_time_limit, conf.task_soft_time_limit),
            "start_method": _either(pool_start_method, conf.worker_pool_start_method),
            "alive_timeout": conf.worker_proc_alive_timeout,
        }
        self.queues = self._choose_queues(queues, exclude_queues)
        self.listeners: Sequence[Callable[[Outcome], None]] = app.plugins.outcome_listeners()
        self.blueprint = WorkerBlueprint([*app.plugins.worker_steps(), *in_order(app.steps["worker"])])
        try:
            self.blueprint.apply(self, task_events=self.task_events, **options)
        except BaseException:
            if hasattr(self, "hub"):
                self.hub.close()
            raise
        signals.worker_init.send(sender=self)

    def __repr__(self) -> str:
        state = self.blueprint.human_state() if hasattr(self, "blueprint") else "in the making"
        return f"<Worker: {self.hostname} ({state})>"

    def _choose_queues(self, queues: str | Iterable[str] | None, excluded: str | Iterable[str] | None) -> list[Any]:
        known = self.app.amqp.queues
        if queues:
            known.select(queues)
        if excluded:
            known.deselect(excluded)
        if self.app.conf.worker_direct:
            known.select_add(worker_direct(self.hostname))
        # The moment for receivers to select more.
        signals.celeryd_after_setup.send(sender=self.hostname, instance=self, conf=self.app.conf)
        chosen = list(known.consume_from.values())
        if not chosen:
            raise ImproperlyConfigured("this worker would listen to no queue: check --queues and --exclude-queues")
        return chosen

    # -- running ------------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Run until stopped; gives the exit code.  Raises what a step raises at its start.

        Once only.  One that was stopped before does not begin.
        """
        if self._has_run:
            raise RuntimeError("this worker has run and ended; make another one")
        self._has_run = True
        self._thread = threading.get_ident()
        with WorkerSignals(self):
            try:
                if not self.is_stopping():
                    self._start()
                    self._run()
            except (WorkerShutdown, WorkerTerminate) as request:
                self._set_exit_code(request.code if isinstance(request.code, int) else None)
            finally:
                self._end()
        return self.exit_code

    def _start(self) -> None:
        if self._purge:
            logger.warning("Discarded %d messages", discard_messages(self.app, self.queues))
        self.blueprint.start(self)
        signals.worker_ready.send(sender=self.consumer)
        logger.info("%s ready.", self.hostname)
        if self._ready_callback is not None:
            self._ready_callback(self)

    def _run(self) -> None:
        turn, consumer = self.hub.run_once, self.consumer
        while self.stop_requested is Stop.NONE:
            turn()
        if self.stop_requested is Stop.WARM:
            self._announce("Warm", "finishing")
            consumer.stop_claiming()
            while consumer.running and self.stop_requested is Stop.WARM:
                turn()
        if self.stop_requested is Stop.SOFT:
            self._run_softly()
        if self.stop_requested is Stop.COLD:
            self._set_exit_code(self.exit_code or 1)
            self._announce("Cold", "stopping")
            self._stop_tasks()

    def _run_softly(self) -> None:
        """Give what runs the time that worker_soft_shutdown_timeout grants it.

        With worker_enable_soft_shutdown_on_idle all of it, also where nothing runs.
        """
        self._announce("Soft", f"giving {self._soft_timeout:g} s to")
        self.consumer.stop_claiming()
        over: list[bool] = []
        timer = self.hub.call_later(self._soft_timeout, over.append, True)
        waits = self.app.conf.worker_enable_soft_shutdown_on_idle
        while (self.consumer.running or waits) and not over and self.stop_requested is Stop.SOFT:
            self.hub.run_once()
        timer.cancel()
        if over and self.consumer.running:
            self.request_stop(Stop.COLD)

    def _announce(self, how: str, what: str) -> None:
        # That a program ends its idle worker itself, as tests do, is no news to it.
        level = logging.WARNING if self.stop_signal or self.consumer.running else logging.INFO
        # The pool may have more than it can run at once: that goes back.
        running = min(self.consumer.running, self.pool.num_processes)
        tasks = "1 running task" if running == 1 else f"{running} running tasks"
        logger.log(level, "%s shutdown: %s %s", how, what, tasks)
        sig = self.stop_signal or ("SIGTERM" if how == "Warm" else "SIGQUIT")
        signals.worker_shutting_down.send(sender=self.hostname, sig=sig, how=how, exitcode=self.exit_code)

    def _stop_tasks(self) -> None:
        """Stop what runs, and settle what can be said of it."""
        self.consumer.stop_claiming()
        # What has ended by now and is on its way to us has ended well.
        self.hub.call_soon(_nothing)
        self.hub.run_once()
        self.pool.terminate()
        self.consumer.abandon_running()

    def _end(self) -> None:
        try:
            if self.blueprint.state == RUN and self.consumer.running:
                # Not by a way that has seen to them.
                self._stop_tasks()
        except Exception:
            logger.exception("Running tasks could not be stopped in order")
        self.blueprint.stop(self, terminate=self.stop_requested is Stop.COLD)
        self.hub.close()
        self.app.loader.shutdown_worker()
        signals.worker_shutdown.send(sender=self)

    # -- stopping -----------------------------------------------------------------------------------------------------

    def request_stop(self, how: Stop) -> None:
        """Stop as soon as the loop comes round; safe in a signal handler and from other threads."""
        if how.value > self.stop_requested.value:
            self.stop_requested = how
            self.hub.wake_up()

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Finish what runs, give back the rest, end."""
        self._set_exit_code(exitcode)
        self.request_stop(Stop.WARM)

    def terminate(self, in_sighandler: bool = False) -> None:
        """End at once."""
        self.request_stop(Stop.COLD)
        if in_sighandler:
            self.pool.interrupt()

    def stop_faster(self) -> None:
        """The next faster way to end than the present one: a signal handler was asked for it.

        That is a soft shutdown, where worker_soft_shutdown_timeout grants one, and else a cold one.
        """
        if self.stop_requested.value >= Stop.SOFT.value or not self._soft_timeout:
            self.terminate(in_sighandler=True)
            return
        self.request_stop(Stop.SOFT)
        if self.pool.blocking:
            # While a task runs here the loop stands still, and nobody would see that the time is up.
            late = threading.Timer(self._soft_timeout, _stop_faster_if_late, (self,))
            late.daemon = True
            late.start()

    def reload(self, modules: Sequence[str] | None = None, reload: bool = False) -> None:
        """Have the pool run tasks that were defined since it began, if they are sent from now on; from any thread.

        `modules` are imported before that, with `reload` anew; then it is all task modules unless some are named.
        Raises what importing raises, and what the pool raises.
        """
        self.pool.context.load_modules(modules, reload)
        if not self.pool.pids():  # in this process they are found anyway
            return
        if threading.get_ident() == self._thread:
            self.pool.restart()
            return
        restarted: Future[None] = Future()
        self.hub.call_soon(_fulfil, restarted, self.pool.restart)
        while not (wait([restarted], timeout=_A_LOOK).done or self.is_stopping()):
            continue
        if restarted.done():
            restarted.result()

    def is_stopping(self) -> bool:
        """Whether the worker has been asked to stop."""
        return self.stop_requested is not Stop.NONE

    def _set_exit_code(self, code: int | None) -> None:
        if code is not None:
            self.exit_code = code

    # -- facts --------------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Facts for health checks."""
        return {"pid": os.getpid(), "hostname": self.hostname, **self.blueprint.info(self)}

    def stats(self) -> dict[str, Any]:
        """Figures for ``inspect stats``."""
        return figures(self)


def _fulfil(promise: Future[None], action: Callable[[], None]) -> None:
    try:
        action()
        promise.set_result(None)
    except BaseException as error:  # noqa: BLE001  # it is raised where it was asked for
        promise.set_exception(error)


def concurrency_of(value: int | str | None, auto: Callable[[int], int] = int) -> int:
    """How many tasks run at once: a number, or what `auto` makes of the processors that this process may use.

    Raises `ImproperlyConfigured` for anything else.
    """
    if value in {None, "", "auto", 0, "0"}:
        return auto(processors())
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise ImproperlyConfigured(f"worker_concurrency must be a number from 1, or 'auto', not {value!r}")
    return number


def _either(given: Any, configured: Any) -> Any:
    return configured if given is None else given


def _stop_faster_if_late(worker: WorkController) -> None:
    if worker.consumer.running:
        os.kill(os.getpid(), signal.SIGQUIT)


def _nothing() -> None:
    return None
