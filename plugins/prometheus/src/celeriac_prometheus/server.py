"""The worker's service that serves the metrics by HTTP."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, ClassVar
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from celeriac.contracts import Service
from celeriac.exceptions import ImproperlyConfigured
from celeriac_prometheus.address import parse_address, shown

if TYPE_CHECKING:
    from celeriac_prometheus.metrics import Metrics

logger = logging.getLogger("celeriac_prometheus")


class MetricsServer:
    """Serves one app's metrics; `start` and `stop` tolerate being called twice, `stop` never started."""

    def __init__(self, metrics: Metrics, address: str) -> None:
        self._metrics = metrics
        self._host, self._port = parse_address(address)
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None
        ref = weakref.ref(self)
        # A child of the pool must not keep the port of a worker that has died.
        os.register_at_fork(after_in_child=lambda: _close_inherited(ref))

    def start(self) -> None:
        """Listen.  Raises `ImproperlyConfigured` where that cannot be done."""
        if self._server is not None:
            return
        try:
            self._server, self._thread = start_http_server(self._port, self._host, self._metrics.registry)
        except (OSError, UnicodeError) as error:
            raise ImproperlyConfigured(
                f"the metrics cannot be served at {self._host}:{self._port}: {error}; give each worker of a machine an "
                "address of its own with --metrics-address HOST:PORT"
            ) from error
        logger.info("Metrics for Prometheus at %s", self.url)

    @property
    def url(self) -> str:
        """Where the metrics are; the real port, where the address said 0."""
        return shown(self._host, self._port if self._server is None else self._server.server_port)

    def stop(self) -> None:
        """Listen no more, and end the thread."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is not None and thread is not None:
            server.shutdown()
            server.server_close()
            thread.join()

    def join(self) -> None:
        """Wait while it is served."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def close_inherited(self) -> None:
        """In a forked child: give up the socket; the thread that served it is not here."""
        server, self._server, self._thread = self._server, None, None
        if server is not None:
            server.socket.close()


def _close_inherited(ref: weakref.ref[MetricsServer]) -> None:
    server = ref()
    if server is not None:
        server.close_inherited()


class MetricsService(Service):
    """Has the metrics served while the worker runs."""

    name: ClassVar[str] = "prometheus"

    def __init__(self, server: MetricsServer) -> None:
        self._server = server
        self._is_over = False
        self._lock = threading.Lock()

    def prepare(self) -> None:
        self._server.start()

    def start(self) -> None:
        with self._lock:
            if self._is_over:
                return
            self._server.start()
        self._server.join()
        with self._lock:
            if not self._is_over:
                self._server.stop()
                raise RuntimeError("the thread that serves the metrics has ended")

    def stop(self) -> None:
        with self._lock:
            self._is_over = True
            self._server.stop()

    def info(self) -> dict[str, Any]:
        return {"url": self._server.url}
