"""The consumer lane."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from celeriac.contracts import ConsumerLane, Delivery, LaneCapabilities, Settlements
from celeriac_sqlite import owners
from celeriac_sqlite.claims import Claims
from celeriac_sqlite.database import Database
from celeriac_sqlite.envelope import opened
from celeriac_sqlite.topology import Topology, delete_idle_queues, touch_queues
from celeriac_sqlite.wake import SAFETY_NET, Bell, Listener

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac_sqlite.options import FileOptions

logger = logging.getLogger("celeriac.sqlite")

#: Seconds between two looks for dead owners.
_REAP_INTERVAL: Final = 1.0
_LEASES_PER_RENEWAL: Final = 3


class SqliteConsumerLane(ConsumerLane):
    """Claims from the queues of one file."""

    capabilities = (
        LaneCapabilities.CLAIM_MANY
        | LaneCapabilities.SETTLE_MANY
        | LaneCapabilities.NATIVE_DELAY
        | LaneCapabilities.LEASES
        | LaneCapabilities.DELIVERY_COUNT
        | LaneCapabilities.BEGIN_TRACE
        | LaneCapabilities.GIVE_BACK
        | LaneCapabilities.QUEUE_DEPTH
        | LaneCapabilities.PRIORITY
        | LaneCapabilities.CLAIMS_RETURN
        | LaneCapabilities.CHANGE_QUEUES
    )

    def __init__(self, path: Path, options: FileOptions) -> None:
        self._path = path
        self._options = options
        self.renew_interval = options.lease / _LEASES_PER_RENEWAL
        self._database: Database | None = None
        self._watch: _Watch | None = None

    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        self._database = database = Database(self._path, self._options)
        self._claims = Claims(database, [queue.name for queue in queues])
        self._bell = Bell(self._path, "w")
        self._topology = Topology(database)
        self._declare(queues)
        self._watch = _Watch(database, self._claims, loop, on_ready)
        self._watch.start()

    def _declare(self, queues: Sequence[Any]) -> None:
        with self._claims:
            owner = self._claims.owner()
            for queue in queues:
                self._topology.declare(queue, owner)

    def add_queue(self, queue: Any) -> None:
        self._declare([queue])
        self._claims.watch(queue.name)
        if self._watch is not None:
            self._watch.look_anew()

    def remove_queue(self, name: str) -> None:
        self._claims.watch_no_more(name)
        if self._watch is not None:
            self._watch.look_anew()

    def claim(self, limit: int) -> list[Delivery]:
        if limit <= 0 or not self._claims.waiting():
            return self._taken([], limit)
        with self._claims:
            rows = self._claims.take(limit)
        return self._taken(rows, limit)

    def settle(self, batch: Settlements) -> None:
        with self._claims:
            self._claims.settle(batch)
        self._wake_others(batch)

    def turn(self, batch: Settlements, limit: int) -> list[Delivery]:
        if not batch:
            return self.claim(limit)
        with self._claims:
            self._claims.settle(batch)
            rows = self._claims.take(limit) if limit > 0 else []
        self._wake_others(batch)
        return self._taken(rows, limit)

    def _taken(self, rows: list[tuple[Any, ...]], limit: int) -> list[Delivery]:
        if self._watch is not None:
            self._watch.claimed(everything=len(rows) < limit)
        return opened(rows) if rows else []

    def _wake_others(self, batch: Settlements) -> None:
        if batch.requeue or batch.redeliver:
            self._bell.ring()

    def lost(self) -> list[Delivery]:
        database = self._claims.database
        owners.reap(database, {self._claims.known_owner})
        if not database.rows("SELECT 1 FROM claim WHERE owner IS NULL LIMIT 1"):
            return []
        with self._claims:
            rows = self._claims.take_lost()
        return opened(rows)

    def renew(self) -> None:
        with self._claims:
            self._claims.renew()

    def keeper(self) -> Callable[[], None]:
        def renew() -> None:
            if self._claims.known_owner is not None:
                # A connection of this thread's own, open for a moment: a thread has no end at which to close one.
                with closing(Database(self._path, self._options)) as database, database:
                    # Also those of channels that this process has, which stand still with its loop as this lane does.
                    owners.renew_all(database)

        return renew

    def depth(self, queue: str) -> int | None:
        return int(self._claims.database.rows("SELECT count(*) FROM ready WHERE queue = ?", (queue,))[0][0])

    def close(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        database, self._database = self._database, None
        if database is None:
            return
        try:
            if database.usable:
                with self._claims:
                    self._claims.release()
                self._bell.ring()
        finally:
            self._bell.close()
            database.close()


class _Watch:
    """Calls `on_ready` when there may be something to claim: someone rang, a message is due, an owner died."""

    def __init__(self, database: Database, claims: Claims, loop: EventLoop, on_ready: Callable[[], None]) -> None:
        self._database = database
        self._claims = claims
        self._loop = loop
        self._on_ready = on_ready
        self._listener = Listener(database.path, "w")
        self._bell = Bell(database.path, "w")
        self._timers: list[Timer] = []
        self._due: Timer | None = None
        self._due_at: float | None = None
        self._version = 0
        self._more = True
        self._mourned = False

    def start(self) -> None:
        descriptor = self._listener.fileno()
        if descriptor is not None:
            self._loop.add_reader(descriptor, self._woken)
        self._version = self._database.version()
        self._tidy()
        self._timers = [
            self._loop.call_repeatedly(SAFETY_NET, self._look),
            self._loop.call_repeatedly(_REAP_INTERVAL, self._tidy),
        ]
        self._arm()
        self._loop.call_soon(self._ready)

    def claimed(self, *, everything: bool) -> None:
        """After each claim: whether it took all there was."""
        self._more = not everything
        if everything:
            self._arm()

    def look_anew(self) -> None:
        """The queues are others than before."""
        self._more = True
        self._arm()
        self._loop.call_soon(self._ready)

    def stop(self) -> None:
        descriptor = self._listener.fileno()
        if descriptor is not None:
            self._loop.remove_reader(descriptor)
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        self._disarm()
        self._listener.close()
        self._bell.close()

    def _woken(self) -> None:
        self._listener.clear()
        self._arm()
        self._ready()

    def _ready(self) -> None:
        if self._timers:  # not stopped in the meantime
            self._on_ready()

    def _look(self) -> None:
        """The safety net under lost datagrams."""
        version = self._database.version()
        if version != self._version or self._more:
            self._version = version
            self._arm()
            if self._claims.waiting():
                self._ready()

    def _tidy(self) -> None:
        if self._database.was_removed() and not self._mourned:
            self._mourned = True
            logger.error(
                "the queue file %s was removed or replaced while this process uses it: what others send now is not"
                " seen here; restart this process",
                self._database.path,
            )
        touch_queues(self._database, self._claims.queues)
        delete_idle_queues(self._database)
        if owners.reap(self._database, {self._claims.known_owner}):
            self._bell.ring()

    # -- messages that are held back --------------------------------------------------------------

    def _arm(self) -> None:
        due_at = self._claims.next_due()
        if due_at == self._due_at and self._due is not None:
            return
        self._disarm()
        if due_at is not None:
            self._due_at = due_at
            self._due = self._loop.call_later(max(0.0, due_at - time.time()), self._now_due)

    def _disarm(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = self._due_at = None

    def _now_due(self) -> None:
        self._due = self._due_at = None
        self._ready()
