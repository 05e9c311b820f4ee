"""Beat as a program: its options, its signals, its end."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celeriac.beat.service import Service
from celeriac.exceptions import ImproperlyConfigured

logger = logging.getLogger("celeriac.beat")


class Beat:
    """``app.Beat(...).run()``: what ``celeriac beat`` runs.  What is None comes from the configuration."""

    #: The class of the loop.
    Service: Any = Service
    app: Any = None

    def __init__(
        self,
        max_interval: float | None = None,
        app: Any = None,
        socket_timeout: float = 30,
        pidfile: str | None = None,
        no_color: bool | None = None,
        loglevel: Any = "WARN",
        logfile: str | None = None,
        schedule: str | None = None,
        scheduler: Any = None,
        scheduler_cls: Any = None,
        quiet: bool = False,
        hostname: str | None = None,
        health: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = app or self.app
        self.max_interval = max_interval
        self.socket_timeout = socket_timeout
        self.pidfile = pidfile
        self.no_color = no_color
        self.loglevel = loglevel
        self.logfile = logfile
        self.schedule = schedule or self.app.conf.beat_schedule_filename
        self.scheduler_cls = scheduler_cls or scheduler or self.app.conf.beat_scheduler
        self.quiet = quiet
        self.hostname = hostname
        #: Where to serve health checks: HOST:PORT or unix:PATH.
        self.health = health

    def run(self) -> None:
        """Run until SIGTERM or SIGINT."""
        self.init_loader()
        with _pid_in(self.pidfile):
            self.start_scheduler()

    def init_loader(self) -> None:
        """Import the task modules."""
        app = self.app
        app.install_fixups()
        app.loader.import_default_modules()
        app.finalize()

    def start_scheduler(self) -> None:
        """Run the service."""
        service = self.Service(
            app=self.app,
            max_interval=self.max_interval,
            scheduler_cls=self.scheduler_cls,
            schedule_filename=self.schedule,
            hostname=self.hostname,
        )
        _ = service.scheduler  # what is wrong with it is told before anything is installed
        self.install_sync_handler(service)
        with self._health_of(service):
            service.start()

    @contextmanager
    def _health_of(self, service: Any) -> Iterator[None]:
        if not self.health:
            yield
            return
        from celeriac.beat.health import BeatHealth  # most beats serve none

        health = BeatHealth(service, self.health)
        health.start()
        try:
            yield
        finally:
            health.stop()

    def install_sync_handler(self, service: Any) -> None:
        """Stop in order at SIGTERM and SIGINT."""

        def handle(*_: Any) -> None:
            # In a thread of its own: the one that is interrupted here may hold the lock that this takes.
            threading.Thread(target=service.stop).start()

        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGINT, handle)

    def startup_info(self, service: Any = None) -> str:
        """What the banner says."""
        return "\n".join([f"celeriac beat: broker {self.app.broker_uri()}", f"    . scheduler -> {self.scheduler_cls}"])


@contextmanager
def _pid_in(path: str | None) -> Iterator[None]:
    """Keep the process id in a file meanwhile.  Raises `ImproperlyConfigured` where another process is in it."""
    if not path:
        yield
        return
    file = Path(path)
    other = _alive(file)
    if other is not None:
        raise ImproperlyConfigured(f"beat runs already, as process {other}: {path}; stop it, or name another --pidfile")
    file.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _alive(file: Path) -> int | None:
    """The process whose id is in the file, if it is there."""
    try:
        pid = int(file.read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return None if pid == os.getpid() else pid
