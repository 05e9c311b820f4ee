"""A worker as its events show it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

__all__ = ["HEARTBEAT_DRIFT_MAX", "HEARTBEAT_EXPIRE_WINDOW", "Worker", "heartbeat_expires"]

logger = logging.getLogger("celeriac.events.state")

#: Per cent of the time between two heartbeats after which a worker that was not heard counts as gone.
HEARTBEAT_EXPIRE_WINDOW: Final = 200
#: Seconds that a worker's clock may differ from ours before that is told of.
HEARTBEAT_DRIFT_MAX: Final = 16


def heartbeat_expires(timestamp: float, freq: float = 60, expire_window: float = HEARTBEAT_EXPIRE_WINDOW) -> float:
    """When a worker counts as gone that was heard at `timestamp` and speaks every `freq` seconds."""
    return float(timestamp) + float(freq or 60) * expire_window / 100


class Worker:
    """What is known of one worker.  `heartbeats` are the times of the last few, by its clock, the oldest first."""

    heartbeat_max: ClassVar[int] = 4
    expire_window: ClassVar[float] = HEARTBEAT_EXPIRE_WINDOW

    _fields: ClassVar[tuple[str, ...]] = (
        "hostname",
        "pid",
        "freq",
        "heartbeats",
        "clock",
        "active",
        "processed",
        "loadavg",
        "sw_ident",
        "sw_ver",
        "sw_sys",
    )
    #: What an event may say of a worker.
    _told: ClassVar[frozenset[str]] = frozenset(_fields) - {"hostname", "heartbeats"}

    def __init__(
        self,
        hostname: str | None = None,
        pid: int | None = None,
        freq: float = 60,
        heartbeats: list[float] | None = None,
        clock: int = 0,
        active: int | None = None,
        processed: int | None = None,
        loadavg: Any = None,
        sw_ident: str | None = None,
        sw_ver: str | None = None,
        sw_sys: str | None = None,
    ) -> None:
        self.hostname = hostname
        self.pid = pid
        self.freq = freq
        self.heartbeats = [] if heartbeats is None else heartbeats
        self.clock = clock or 0
        self.active = active
        self.processed = processed
        self.loadavg = loadavg
        self.sw_ident = sw_ident
        self.sw_ver = sw_ver
        self.sw_sys = sw_sys
        self._drift_told = False

    def __reduce__(self) -> Any:
        return type(self), tuple(getattr(self, name) for name in self._fields)

    def __eq__(self, other: object) -> bool:
        return self.hostname == other.hostname if isinstance(other, Worker) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hostname)

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({self.status_string})>"

    # -- what comes in ------------------------------------------------------------------------------------------------

    def event(
        self,
        type_: str | None,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: dict[str, Any] | None = None,
    ) -> None:
        """Take in one event, its type without the ``worker-``."""
        told = self._told
        for name, value in (fields or {}).items():
            if name in told and value is not None:
                setattr(self, name, value)
        if type_ == "offline":
            self.heartbeats.clear()
        elif type_ in {"online", "heartbeat"}:
            self.on_heartbeat(timestamp, local_received)

    def on_heartbeat(self, timestamp: float | None = None, local_received: float | None = None) -> None:
        """It was heard: sent at `timestamp` by its clock, and here at `local_received` by ours."""
        if not local_received or not timestamp:
            return
        drift = abs(local_received - timestamp)
        if drift > HEARTBEAT_DRIFT_MAX and not self._drift_told:
            self._drift_told = True
            logger.warning(
                "The clocks of %s and of this host differ by %.0f s, as far as its heartbeats show",
                self.hostname,
                drift,
            )
        # By our clock, so that one that is wrong makes no worker look dead.
        beats = self.heartbeats
        if not beats or local_received >= beats[-1]:
            beats.append(local_received)
        else:
            beats.append(beats[-1])
        del beats[: -self.heartbeat_max]

    def update(self, f: dict[str, Any] | None = None, **kw: Any) -> None:
        """Set fields by name."""
        for name, value in {**(f or {}), **kw}.items():
            setattr(self, name, value)

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def heartbeat_expires(self) -> float:
        """When it counts as gone if nothing more is heard of it; needs a heartbeat."""
        return heartbeat_expires(self.heartbeats[-1], self.freq, self.expire_window)

    @property
    def alive(self) -> bool:
        """Whether it was heard of lately."""
        return self.is_alive()

    def is_alive(self, nowfun: Callable[[], float] = time.time) -> bool:
        """Whether it was heard of lately, seen from `nowfun`."""
        return bool(self.heartbeats) and nowfun() < self.heartbeat_expires

    @property
    def status_string(self) -> str:
        """ONLINE or OFFLINE."""
        return "ONLINE" if self.alive else "OFFLINE"

    @property
    def id(self) -> str:
        """The name of this run of the worker."""
        return f"{self.hostname}.{self.pid}"

    def as_dict(self) -> dict[str, Any]:
        """All fields."""
        return {name: getattr(self, name) for name in self._fields}
