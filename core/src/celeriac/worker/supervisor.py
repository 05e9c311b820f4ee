"""Looks after one service of a worker: runs it in a thread, and again when it has failed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from celeriac.worker.backoff import LONGEST, Backoff

if TYPE_CHECKING:
    from celeriac.contracts.service import Service

logger = logging.getLogger("celeriac.worker.services")

#: Seconds that all services together have to end.
STOP_TIMEOUT: Final = 5.0
#: Seconds between two requests to stop.
_AGAIN: Final = 0.05


class Supervisor:
    """One per service.  All calls come from the worker's own thread."""

    def __init__(self, service: Service) -> None:
        self.service = service
        #: How often it was started again.
        self.restarts = 0
        #: What became of it last, where it has failed.
        self.error: str | None = None
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether it runs, or will again after a pause."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the service.  Raises what keeps the worker from starting."""
        self.service.prepare()
        self._thread = threading.Thread(target=self._run, name=f"service {self.service.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        name, backoff = self.service.name, Backoff()
        while not self._is_over.is_set():
            monotonic_start = time.monotonic()
            try:
                self.service.start()
            except Exception as error:
                self.error = repr(error)
                if self._is_over.is_set():
                    logger.exception("The service %s failed while it was stopped", name)
                    return
                if time.monotonic() - monotonic_start > LONGEST:
                    backoff.reset()
                pause = backoff.pause()
                logger.exception("The service %s failed; it is started again in %.1f s", name, pause)
                self._is_over.wait(pause)
                self.restarts += 1
            else:
                if not self._is_over.is_set():
                    logger.info("The service %s is done", name)
                return

    def ask_to_stop(self) -> None:
        """Say that it is to end; may be said again."""
        self._is_over.set()
        try:
            self.service.stop()
        except Exception:
            logger.exception("The service %s could not be told to stop", self.service.name)

    def has_ended(self, timeout: float) -> bool:
        """Whether its thread ends within so many seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.is_running

    def info(self) -> dict[str, Any]:
        """Facts for ``inspect stats``."""
        return {"running": self.is_running, "restarts": self.restarts, "error": self.error, **self.service.info()}


def stop_all(supervisors: Sequence[Supervisor], timeout: float = STOP_TIMEOUT) -> None:
    """Stop them all at once; one that has not ended in time is left to end with the process."""
    deadline = time.monotonic() + timeout
    left = list(supervisors)
    while left:
        for supervisor in left:
            supervisor.ask_to_stop()
        left = [each for each in left if not each.has_ended(_AGAIN / len(left))]
        if left and time.monotonic() >= deadline:
            names = ", ".join(each.service.name for each in left)
            logger.error("Not ended within %g s, and left to end with the worker's process: %s", timeout, names)
            return
