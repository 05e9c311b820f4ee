"""``--health`` of beat: whether it ticks, over HTTP from a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import celeriac
from celeriac.worker.health.server import Answer, HealthServer

if TYPE_CHECKING:
    from celeriac.beat.service import Service
    from celeriac.contracts.health import HealthCheck

logger = logging.getLogger("celeriac.beat.health")

#: Seconds that a tick may be late before beat counts as stuck: so long may a broker take to answer.
PATIENCE: Final = 60.0


class BeatHealth:
    """Serves ``/livez``, ``/readyz`` and ``/status`` while beat runs."""

    def __init__(self, service: Service, address: str, patience: float = PATIENCE) -> None:
        self._service = service
        self._patience = patience
        self._monotonic_start = time.monotonic()
        self._checks: list[HealthCheck] = service.app.plugins.health_checks()
        self._loop = asyncio.new_event_loop()
        loop: Any = self._loop  # asyncio's has all that the server asks of one
        self._server = HealthServer(loop, address, self.answer)
        self._thread = threading.Thread(target=self._loop.run_forever, name="beat-health", daemon=True)

    def start(self) -> None:
        """Listen.  Raises `ImproperlyConfigured` where that cannot be done."""
        try:
            self._server.start()
        except BaseException:
            self._loop.close()
            raise
        self._thread.start()
        logger.info("Health checks at %s", self._server.url)

    def stop(self) -> None:
        """Answer no more; tolerates never started and twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
            self._thread.join()
            self._loop.close()

    def _end(self) -> None:
        self._server.stop()
        self._loop.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._server.url

    def answer(self, path: str) -> Answer | None:
        """The answer to a request for `path`."""
        late = self._late()
        if path == "/livez":
            return (HTTPStatus.SERVICE_UNAVAILABLE if late else HTTPStatus.OK), {"alive": not late}
        if path not in {"/readyz", "/status"}:
            return None
        faults = self._faults(late)
        status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
        if path == "/readyz":
            return status, {"ready": not faults, "faults": faults}
        return HTTPStatus.OK, {"ready": not faults, "faults": faults, **self._facts()}

    def _late(self) -> float:
        """Seconds by which the next tick is overdue; 0 where it is not."""
        late = time.monotonic() - self._service.monotonic_next_tick
        return late if late > self._patience else 0.0

    def _faults(self, late: float) -> list[str]:
        found = [f"beat has not ticked for {late:.0f} s: its broker or its store does not answer"] if late else []
        found += self._service.scheduler.faults()
        for name, check in self._checks:
            try:
                fault = check()
            except Exception as error:  # a broken check is a fault of its own, and must not hide the others
                logger.exception("The health check %s failed", name)
                fault = f"the check itself failed: {error!r}"
            if fault:
                found.append(f"{name}: {fault}")
        return found

    def _facts(self) -> dict[str, Any]:
        service = self._service
        return {
            "pid": os.getpid(),
            "version": celeriac.__version__,
            "uptime": round(time.monotonic() - self._monotonic_start, 3),
            "broker": service.app.broker_uri(),
            "scheduler": str(service.scheduler_cls),
            "leads": service.scheduler.leads,
            "entries": len(service.scheduler.schedule),
            "next_tick": round(service.monotonic_next_tick - time.monotonic(), 3),
        }
