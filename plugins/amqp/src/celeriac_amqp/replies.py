"""The queues that results come to, one for each thread that has asked for any, read by one consumer per process."""

# mypy: allow-untyped-calls

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Final, Protocol

from celeriac.exceptions import StoreUnavailable
from celeriac_amqp.content import read_content, tag_in
from celeriac_amqp.frames import Frame, Verb, settling
from celeriac_amqp.link import ERRORS, Link
from celeriac_amqp.tables import TableError

if TYPE_CHECKING:
    from celeriac_amqp.wire import Wire

logger = logging.getLogger("celeriac.amqp")

#: Results that are kept until somebody asks for them; of more the oldest are forgotten.
_MOST_KEPT: Final = 10_000
#: Messages that the server sends ahead.
_AHEAD: Final = 1000

#: The meta of a result, or why it cannot be read.
Found = dict[str, Any] | Exception


class Listener(Protocol):
    """Who is told of each result."""

    def arrived(self, task_id: str, found: Found) -> None:
        """In whatever thread reads."""


class Replies:
    """Thread-safe.  Queues outlive a lost connection, and are deleted when this is closed."""

    def __init__(self, link: Link, arguments: Mapping[str, Any], decode: Callable[[bytes, str], Any]) -> None:
        self._link = link
        self._arguments = dict(arguments)
        self._decode = decode
        self.lock = threading.RLock()
        #: All queues of this process; those that are declared on the present connection; those that are read.
        self.names: set[str] = set()
        self._declared: set[str] = set()
        self._read: set[str] = set()
        self._reads = False
        self._channel: Any = None
        #: By task id, with the moment (monotonic) up to which it is kept.
        self._kept: dict[str, tuple[Found, float]] = {}
        self._listeners: set[Listener] = set()
        self._unacked = 0

    # -- connecting ---------------------------------------------------------------------------------------------------

    def listen(self, name: str) -> None:
        """Have a queue of that name.  Raises `StoreUnavailable`."""
        if name in self._declared and self._channel is not None:
            return
        with self.lock:
            self.names.add(name)
            self._connected()

    def _connected(self) -> Wire:
        """The connection, with every queue declared and, if anybody has read, read."""
        wire = self._link.wire
        try:
            if wire is None or self._channel is None:
                self._declared, self._read, self._unacked = set(), set(), 0
                wire = self._link.connect()
                channel = self._channel = wire.channel()
                channel.auto_decode = False
                wire.takers[channel.channel_id] = self._arrived
                channel.basic_qos(0, _AHEAD, False)
            for name in self.names - self._declared:
                self._channel.queue_declare(name, durable=True, auto_delete=False, arguments=self._arguments)
                self._declared.add(name)
            if self._reads:
                for name in self._declared - self._read:
                    self._channel.basic_consume(name, name)
                    self._read.add(name)
            wire.handle_read()
        except ERRORS as error:
            raise self._lost(error) from error
        return wire

    def _lost(self, error: BaseException) -> StoreUnavailable:
        self._channel = None
        self._link.drop()
        return StoreUnavailable(str(self._link.explained(error)))

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self) -> Wire:
        """Take in what has come, and do not wait; gives the connection.  To be called with the lock.

        Raises `StoreUnavailable`.
        """
        self._reads = True
        wire = self._connected()
        try:
            wire.take()
            self._ack(wire)
        except ERRORS as error:
            raise self._lost(error) from error
        return wire

    def read_all(self) -> None:
        """Take in all that is in the queues by now.  Raises `StoreUnavailable`."""
        with self.lock:
            was_connected = self._channel is not None
            try:
                self._read_all()
            except StoreUnavailable:
                if not was_connected:
                    raise
                # It was lost while nobody used it; what was in the queues is there still.
                self._read_all()

    def _read_all(self) -> None:
        wire = self.read()
        channel = self._channel
        try:
            for name in self._read:
                # What the server has sent ahead comes before its answer to this.
                while (message := channel.basic_get(name, no_ack=False)) is not None:
                    properties = message.properties
                    self._keep(properties, properties.get("content_type"), message.body)
                    self._unacked = message.delivery_tag
            wire.handle_read()
            self._ack(wire)
        except ERRORS as error:
            raise self._lost(error) from error

    def _ack(self, wire: Wire) -> None:
        if self._unacked:
            wire.say(settling(self._channel.channel_id, [Frame(Verb.ACK, self._unacked, multiple=True)]))
            self._unacked = 0

    def _arrived(self, arguments: bytes, header: bytes, body: bytes) -> None:
        self._unacked = tag_in(arguments)
        try:
            content = read_content(header)
        except TableError as error:
            logger.error("A result that cannot be read was dropped: %s", error)
            return
        self._keep(content.properties, content.content_type, body)

    def _keep(self, properties: Mapping[str, Any], content_type: str | None, body: bytes) -> None:
        found: Found
        task_id = properties.get("correlation_id")
        try:
            found = self._decode(body, content_type or "")
            if not isinstance(found, dict):
                raise TypeError(f"a result is a map, not {type(found).__name__}")  # as any that cannot be read
        except Exception as error:  # noqa: BLE001  # of any serializer; belongs to whoever asks for this one
            found = error
        else:
            task_id = found.get("task_id") or task_id
        if not isinstance(task_id, str):
            logger.error("A result that names no task was dropped")
            return
        kept = self._kept
        before, _ = kept.pop(task_id, (None, 0.0))
        if isinstance(before, dict) and before.get("status") == "SUCCESS":
            found = before
        expiration = str(properties.get("expiration") or "")
        seconds = int(expiration) / 1000 if expiration.isdecimal() else inf
        kept[task_id] = found, time.monotonic() + seconds
        if len(kept) > _MOST_KEPT:
            del kept[next(iter(kept))]
        for listener in self._listeners:
            listener.arrived(task_id, found)

    def kept(self, task_ids: Iterable[str]) -> dict[str, Found]:
        """Those of the results that have been read.  Call with the lock."""
        kept, now = self._kept, time.monotonic()
        known = {task_id: kept[task_id] for task_id in task_ids if task_id in kept}
        return {task_id: found for task_id, (found, until) in known.items() if until > now}

    def forget(self, task_ids: Iterable[str]) -> None:
        """Keep these no longer."""
        with self.lock:
            for task_id in task_ids:
                self._kept.pop(task_id, None)

    def join(self, listener: Listener) -> None:
        """Tell this one of each result from now on."""
        with self.lock:
            self._listeners = {*self._listeners, listener}

    def leave(self, listener: Listener) -> None:
        """Tell it no more; tolerates one that was never told."""
        with self.lock:
            self._listeners = self._listeners - {listener}

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Delete the queues, with what nobody has asked for.  Used again, this makes them anew; tolerates twice."""
        with self.lock:
            try:
                if self._channel is not None:
                    for name in self._declared:
                        self._channel.queue_delete(name)
            except ERRORS as error:
                logger.debug("The server deletes the queues of results by itself, later: %r", error)
            self._channel = None
            self._link.close()
