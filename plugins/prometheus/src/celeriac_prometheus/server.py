"""The worker's step that serves the metrics by HTTP, from a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from celeriac.bootsteps import StartStopStep
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

    def close_inherited(self) -> None:
        """In a forked child: give up the socket; the thread that served it is not here."""
        server, self._server, self._thread = self._server, None, None
        if server is not None:
            server.socket.close()


def _close_inherited(ref: weakref.ref[MetricsServer]) -> None:
    server = ref()
    if server is not None:
        server.close_inherited()


def server_step(metrics: Metrics, address: str) -> type[StartStopStep]:
    """The step that serves `metrics` at `address` while its worker runs."""

    class Server(StartStopStep):
        name = "celeriac_prometheus.Server"

        def create(self, parent: Any) -> MetricsServer:
            return MetricsServer(metrics, address)

        def start(self, parent: Any) -> None:
            self.obj.start()
            metrics.up.labels(parent.hostname).set(1)

        def stop(self, parent: Any) -> None:
            metrics.up.labels(parent.hostname).set(0)
            self.obj.stop()

        terminate = stop

        def info(self, obj: MetricsServer) -> dict[str, Any]:
            return {"metrics": obj.url}

    return Server
