"""The bootstep that serves health checks."""

from __future__ import annotations

import logging
import os
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import celeriac
from celeriac.bootsteps import StartStopStep
from celeriac.worker.components import Pool
from celeriac.worker.health.server import Answer, HealthServer

if TYPE_CHECKING:
    from celeriac.contracts.health import HealthCheck
    from celeriac.worker.boot import WorkController

logger = logging.getLogger("celeriac.worker.health")


class Health(StartStopStep):
    """Serves ``/livez``, ``/readyz`` and ``/status``, without asking the broker or the store."""

    conditional = True
    requires = (Pool,)

    def __init__(self, parent: Any, health: str | None = None, **options: Any) -> None:
        super().__init__(parent, **options)
        self._address = health
        self.enabled = bool(health)

    def create(self, parent: Any) -> HealthServer:
        state = WorkerHealth(parent)
        return HealthServer(parent.hub, self._address or "", state.answer)

    def start(self, parent: Any) -> None:
        self.obj.start()
        logger.info("Health checks at %s", self.obj.url)

    def info(self, obj: Any) -> dict[str, Any]:
        return {"health": self.obj.url}


class WorkerHealth:
    """What one worker says of itself."""

    def __init__(self, worker: WorkController) -> None:
        self._worker = worker
        self._monotonic_start = time.monotonic()
        self._checks: list[HealthCheck] = worker.app.plugins.health_checks()

    def answer(self, path: str) -> Answer | None:
        """The answer to a request for `path`."""
        if path == "/livez":
            return HTTPStatus.OK, {"alive": True}
        if path == "/readyz":
            faults = self.faults()
            return (HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK), {
                "ready": not faults,
                "faults": faults,
            }
        if path == "/status":
            return HTTPStatus.OK, self.status()
        return None

    def faults(self) -> list[str]:
        """Why the worker is not ready, in sentences; empty where it is."""
        worker = self._worker
        found = []
        if worker.is_stopping():
            found.append("the worker is stopping")
        elif not worker.consumer.is_claiming:
            found.append(
                "the broker is out of reach"
                if worker.consumer.broker.is_doubted
                else "the worker has not begun to take messages, or takes none any more"
            )
        for name, check in self._checks:
            try:
                fault = check()
            except Exception as error:  # a broken check is a fault of its own, and must not hide the others
                logger.exception("The health check %s failed", name)
                fault = f"the check itself failed: {error!r}"
            if fault:
                found.append(f"{name}: {fault}")
        return found

    def status(self) -> dict[str, Any]:
        """Everything, for people and dashboards; secrets are masked."""
        worker = self._worker
        consumer, faults = worker.consumer, self.faults()
        return {
            "ready": not faults,
            "faults": faults,
            "hostname": worker.hostname,
            "pid": os.getpid(),
            "version": celeriac.__version__,
            "uptime": round(time.monotonic() - self._monotonic_start, 3),
            "broker": consumer.broker_uri(),
            "results": worker.app.backend.as_uri(),
            "queues": [queue.name for queue in consumer.queues],
            "claiming": consumer.is_claiming,
            "held": consumer.held,
            "running": consumer.running,
            "pool": {"name": worker.pool.name, **worker.pool.info()},
        }
