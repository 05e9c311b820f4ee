"""A worker's sign of life."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import celeriac
from celeriac import signals

if TYPE_CHECKING:
    from celeriac.contracts.loop import Timer
    from celeriac.events.dispatcher import EventDispatcher

#: Seconds between two heartbeats, as all monitors expect.
INTERVAL: Final = 2.0


def software() -> dict[str, str]:
    """What runs, as heartbeats tell it: who shares a broker with Celery speaks its dialect, so also its name."""
    return {"sw_ident": "py-celery", "sw_ver": celeriac.__version__, "sw_sys": platform.system()}


class Heart:
    """Sends ``worker-online``, ``worker-heartbeat`` every `interval` seconds, and ``worker-offline``.

    `timer` has ``call_repeatedly(seconds, function)``; `figures` gives `active` and `processed`.
    """

    def __init__(
        self,
        timer: Any,
        eventer: EventDispatcher,
        interval: float | None = None,
        figures: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.timer = timer
        self.eventer = eventer
        self.interval = float(interval or INTERVAL)
        self._figures = figures
        self._software = software()
        self._beats: Timer | None = None
        eventer.on_enabled.add(self.start)
        eventer.on_disabled.add(self.stop)

    def start(self) -> None:
        """Begin, where events are sent at all."""
        if self._beats is None and self.eventer.enabled:
            self._send("worker-online")
            self._beats = self.timer.call_repeatedly(self.interval, self.beat)

    def stop(self) -> None:
        """Say good-bye; tolerates never started and twice."""
        beats, self._beats = self._beats, None
        if beats is not None:
            beats.cancel()
            if self.eventer.enabled:
                self._send("worker-offline")

    def close(self) -> None:
        """Stop, and begin no more."""
        self.eventer.on_enabled.discard(self.start)
        self.eventer.on_disabled.discard(self.stop)
        self.stop()

    def beat(self) -> None:
        """Send a heartbeat now."""
        self._send("worker-heartbeat")

    def _send(self, kind: str) -> None:
        if signals.heartbeat_sent:
            signals.heartbeat_sent.send(sender=self)
        fields: dict[str, Any] = {"freq": self.interval, "loadavg": _load(), **self._software, **self._figures()}
        self.eventer.send(kind, **fields)


def _load() -> list[float]:
    try:
        return [round(load, 2) for load in os.getloadavg()]
    except OSError:  # not to be had here
        return [0.0, 0.0, 0.0]
