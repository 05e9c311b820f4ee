"""Beat's loop: tick, sleep, tick."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from celeriac import signals

if TYPE_CHECKING:
    from celeriac.beat.scheduler import Scheduler

logger = logging.getLogger("celeriac.beat")


class Service:
    """Runs a scheduler until it is told to stop."""

    def __init__(
        self,
        app: Any,
        max_interval: float | None = None,
        schedule_filename: str | None = None,
        scheduler_cls: Any = None,
        hostname: str | None = None,
    ) -> None:
        self.app = app
        self.max_interval = max_interval or app.conf.beat_max_loop_interval
        self.schedule_filename = schedule_filename or app.conf.beat_schedule_filename
        self.scheduler_cls = scheduler_cls or app.conf.beat_scheduler
        self.hostname = hostname
        #: When the next tick is due, on the monotonic clock; what has not ticked long after that is stuck.
        self.monotonic_next_tick = time.monotonic()
        self._stop_requested = False
        self._stopped = threading.Event()
        self._scheduler: Scheduler | None = None
        self._lock = threading.Lock()

    def get_scheduler(self, lazy: bool = False) -> Scheduler:
        """The scheduler, made anew.  Raises `PluginNotFound` for a name that nobody offers."""
        scheduler_class: type[Scheduler] = self.app.plugins.driver("scheduler", driver_name(self.scheduler_cls))
        return scheduler_class(
            self.app, schedule_filename=self.schedule_filename, max_interval=self.max_interval, lazy=lazy
        )

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler."""
        with self._lock:
            if self._scheduler is None:
                self._scheduler = self.get_scheduler()
            return self._scheduler

    def start(self, embedded_process: bool = False) -> None:
        """Run until `stop`."""
        scheduler = self.scheduler
        self.monotonic_next_tick = time.monotonic()
        logger.info("beat: Starting...")
        control = self._remote_control()
        signals.beat_init.send(sender=self)
        if embedded_process:
            signals.beat_embedded_init.send(sender=self)
        try:
            while not self._stop_requested:
                seconds = scheduler.tick()
                self.monotonic_next_tick = time.monotonic() + max(seconds, 0.0)
                if seconds > 0 and not self._stop_requested:
                    scheduler.wait(seconds)
                if scheduler.should_sync():
                    scheduler._do_sync()
        finally:
            try:
                scheduler.close()
                if control is not None:
                    control.stop()
            finally:
                self._stopped.set()

    def _remote_control(self) -> Any:
        if not self.app.conf.beat_enable_remote_control:
            return None
        from celeriac.beat.remote import RemoteControl  # most beats have none

        control = RemoteControl(self.app, self.scheduler, self.hostname)
        control.start()
        return control

    def sync(self) -> None:
        """Have the scheduler keep what it knows."""
        self.scheduler.sync()

    def stop(self, wait: bool = False) -> None:
        """End the loop; from any thread.  With `wait` not before it has ended."""
        self._stop_requested = True
        if self._scheduler is not None:
            self._scheduler.interrupt()
        if wait:
            self._stopped.wait()


class EmbeddedService:
    """Beat in a thread of another program, as of a worker with ``-B``."""

    def __init__(self, app: Any, max_interval: float | None = None, **kwargs: Any) -> None:
        kwargs.pop("thread", None)
        self.service = Service(app, max_interval, **kwargs)
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Start the thread; errors in the configuration of the scheduler are raised here."""
        _ = self.service.scheduler
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for it; tolerates never-started and twice."""
        if self._thread.is_alive():
            self.service.stop(wait=True)
            self._thread.join()

    def _run(self) -> None:
        try:
            self.service.start(embedded_process=True)
        except Exception:
            logger.exception("beat has ended; the worker goes on without it")


def driver_name(scheduler: Any) -> Any:
    """What to ask the plugins for; Celery's own names for its schedulers stand for ours."""
    if isinstance(scheduler, str) and scheduler.startswith(("celery.beat:", "celery.beat.", "celeriac.beat.")):
        return "celeriac.beat:" + scheduler.replace(":", ".").rpartition(".")[2]
    return scheduler
