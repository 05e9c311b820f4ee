"""The broker driver: Kombu's transport over one SQLite file, and its lanes."""

# Kombu's virtual transport, which is extended here, has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import sqlite3
import time
from queue import Empty
from typing import TYPE_CHECKING, Any, ClassVar, Final

from kombu.exceptions import ChannelError
from kombu.transport import virtual

from celeriac_sqlite import embedded, owners
from celeriac_sqlite.channel import SqliteChannel
from celeriac_sqlite.consumer import SqliteConsumerLane
from celeriac_sqlite.database import Database
from celeriac_sqlite.errors import StorageBusy, StorageError
from celeriac_sqlite.figures import figures_in
from celeriac_sqlite.options import options_of
from celeriac_sqlite.place import path_of
from celeriac_sqlite.producer import SqliteProducerLane
from celeriac_sqlite.publisher import Publisher
from celeriac_sqlite.topology import Topology, delete_idle_queues, touch_queues
from celeriac_sqlite.wake import SAFETY_NET, Bell, Listener

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from celeriac.contracts import QueueFigures
    from celeriac.contracts.loop import EventLoop, Timer
    from celeriac_sqlite.options import FileOptions

#: Seconds between two rounds of looking for dead owners and of telling that this one lives.
_UPKEEP_INTERVAL: Final = 2.0
#: Messages handed to consumers before the event loop has its turn.
_AT_ONCE: Final = 100


class SqliteTransport(virtual.Transport):
    """Kombu's transport over one SQLite file.

    The lanes have connections of their own; what is below them serves the plain Kombu API, in one thread at a time.
    """

    api_version: ClassVar[int] = 1
    publishes_once: ClassVar[bool] = True
    Channel = SqliteChannel
    can_parse_url = True
    driver_type = "sqlite"
    driver_name = "sqlite3"
    polling_interval: Any = None
    connection_errors: Any = (StorageError, ConnectionError)
    channel_errors: Any = (ChannelError,)
    recoverable_connection_errors = (StorageBusy, ConnectionError)
    recoverable_channel_errors: ClassVar[tuple[type[Exception], ...]] = ()
    implements = virtual.Transport.implements.extend(
        asynchronous=True, exchange_type=frozenset({"direct", "topic", "fanout"})
    )

    cycle: Any
    database: Database
    topology: Topology
    publisher: Publisher
    bell: Bell

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._listener: Listener | None = None
        self._loop: EventLoop | None = None
        self._timers: list[Timer] = []
        self._looking = False
        self._monotonic_upkeep = 0.0

    # -- lanes ------------------------------------------------------------------------------------

    @classmethod
    def producer_lane(cls, connection: Any) -> SqliteProducerLane:
        """A lane into the file that the Kombu connection names."""
        path, options = _file_of(connection)
        lane = SqliteProducerLane(path, options)
        if embedded.is_default(getattr(connection, "app", None)):
            embedded.announce(path)
        return lane

    @classmethod
    def consumer_lane(cls, connection: Any) -> SqliteConsumerLane:
        """A lane out of the file that the Kombu connection names."""
        return SqliteConsumerLane(*_file_of(connection))

    @classmethod
    def describe(cls, connection: Any) -> str:
        """Name the file, for the worker's banner, and say why it is that one."""
        path, _ = _file_of(connection)
        if embedded.is_default(getattr(connection, "app", None)):
            return f"no broker is configured, so tasks wait in the file {path}"
        return f"the file {path}"

    @classmethod
    def queue_figures(cls, connection: Any, queues: Collection[str]) -> dict[str, QueueFigures]:
        """What waits in the queues of the file that the Kombu connection names."""
        return figures_in(connection.default_channel.connection.database, queues)

    # -- connecting -------------------------------------------------------------------------------

    def establish_connection(self) -> Any:
        self.database = Database(*_file_of(self.client))
        self.topology = Topology(self.database)
        self.publisher = Publisher(self.database, self.topology)
        self.bell = Bell(self.database.path, "w")
        self._upkeep()
        return super().establish_connection()

    def close_connection(self, connection: Any) -> None:
        try:
            super().close_connection(connection)
        finally:
            if self._loop is not None:
                self.unregister_from_event_loop(connection, self._loop)
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            self.publisher.close()
            self.bell.close()
            self.database.close()

    def driver_version(self) -> str:
        return sqlite3.sqlite_version

    # -- waiting for messages ---------------------------------------------------------------------

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Hand one message to its consumer.  Raises TimeoutError when there is none in time."""
        listener = self._listening()
        monotonic_deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                self.cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                self._upkeep()
            left = SAFETY_NET if monotonic_deadline is None else monotonic_deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            listener.wait(min(left, SAFETY_NET, self._until_due()))

    def _listening(self) -> Listener:
        if self._listener is None:
            self._listener = Listener(self.database.path, "w")
        return self._listener

    def _until_due(self) -> float:
        """Seconds until the next message that is held back may be handed out."""
        found = [channel.claims.next_due(channel.active_queues()) for channel in self.channels]
        due = min((one for one in found if one is not None), default=None)
        return SAFETY_NET if due is None else max(0.0, due - time.time())

    def _upkeep(self) -> None:
        monotonic_now = time.monotonic()
        if monotonic_now < self._monotonic_upkeep:
            return
        self._monotonic_upkeep = monotonic_now + _UPKEEP_INTERVAL
        database = self.database
        owning = [channel for channel in self.channels if channel.claims.known_owner is not None]
        for channel in owning:
            channel.renew()
        touch_queues(database, [queue for channel in self.channels for queue in channel.active_queues()])
        delete_idle_queues(database)
        if owners.reap(database, {channel.claims.known_owner for channel in owning}):
            self.bell.ring()

    # -- the event loop ---------------------------------------------------------------------------

    def register_with_event_loop(self, connection: Any, loop: EventLoop) -> None:
        self._loop = loop
        descriptor = self._listening().fileno()
        if descriptor is not None:
            loop.add_reader(descriptor, self.on_readable, connection, loop)
        self._timers = [
            loop.call_repeatedly(SAFETY_NET, self._look),
            loop.call_repeatedly(_UPKEEP_INTERVAL, self._upkeep),
        ]
        self.look_soon()

    def unregister_from_event_loop(self, connection: Any, loop: EventLoop) -> None:
        if self._listener is not None and self._listener.fileno() is not None:
            loop.remove_reader(self._listener.fileno())
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        self._loop = None

    def on_readable(self, connection: Any, loop: EventLoop) -> None:
        """Hand out what has arrived."""
        self._listening().clear()
        self._look()

    def look_soon(self) -> None:
        """Look for messages at the next turn of the loop, if there is one."""
        if self._loop is not None and not self._looking:
            self._looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        if self._loop is None:
            return
        try:
            for _ in range(_AT_ONCE):
                self.cycle.get(self._deliver)
        except Empty:
            return
        self.look_soon()


def _file_of(connection: Any) -> tuple[Path, FileOptions]:
    app = getattr(connection, "app", None)
    path = path_of(connection.hostname, getattr(app, "main", None))
    return path, options_of(app, connection.transport_options)
