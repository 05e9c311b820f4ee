"""Beat answers ``ping``, as a node among the workers."""

# Kombu's pidbox has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any, Final

from celeriac.app.mailbox import MailboxNode

logger = logging.getLogger("celeriac.beat")

#: Seconds between two looks at whether it is time to end, and between two tries to connect.
_LOOK: Final = 0.5
_AGAIN: Final = 2.0


class PingNode(MailboxNode):
    """Answers ``ping``, where the scheduler ticks; passes over everything else."""

    max_tick_age: float | None = None
    scheduler: Any = None

    def dispatch(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Answer, or say nothing."""
        if method != "ping" or not self._ticks():
            return None
        return super().dispatch(method, *args, **kwargs)

    def _ticks(self) -> bool:
        last = self.scheduler.monotonic_last_tick
        return self.max_tick_age is None or (last is not None and time.monotonic() - last <= self.max_tick_age)


class RemoteControl:
    """The thread that listens; made anew are its connection and queue where they are lost."""

    def __init__(self, app: Any, scheduler: Any, hostname: str | None = None) -> None:
        self.app = app
        self.hostname = hostname or f"celerybeat@{socket.gethostname()}"
        self._scheduler = scheduler
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat-control", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """No longer listen; tolerates never-started and twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001  # whatever it is, beat goes on sending
                logger.warning("beat: remote control is interrupted, trying again: %s", error)
                self._stopping.wait(_AGAIN)

    def _listen(self) -> None:
        with self.app.connection_for_read(heartbeat=0) as connection:
            node: Any = PingNode(
                self.hostname, {}, connection.default_channel, {"ping": _pong}, self.app.control.mailbox
            )
            node.scheduler, node.max_tick_age = self._scheduler, self.app.conf.beat_remote_control_max_tick_age
            with node.listen():
                while not self._stopping.is_set():
                    try:
                        connection.drain_events(timeout=_LOOK)
                    except TimeoutError:
                        continue


def _pong(*_: Any, **__: Any) -> dict[str, str]:
    return {"ok": "pong"}
