"""Puts batches of messages on the server, and waits once until it has confirmed them all."""

# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from amqp.exceptions import NotFound
from kombu.exceptions import OperationalError

from celeriac.exceptions import SerializationError
from celeriac_amqp.confirms import Confirms, Returned
from celeriac_amqp.content import write_content
from celeriac_amqp.frames import OVERHEAD, content, publish_method
from celeriac_amqp.link import ERRORS, Link, is_silence
from celeriac_amqp.tables import TableError

if TYPE_CHECKING:
    from celeriac.contracts import OutgoingMessage
    from celeriac_amqp.wire import Wire

#: Bytes that are written in one go; what has been confirmed meanwhile is heard in between.
_AT_ONCE: Final = 1 << 17


class Blocked(OperationalError):
    """The server takes no messages for want of memory or disk."""

    #: It was waited for: whoever sends is told now.
    is_final = True


class Parcel:
    """A message with where it goes now: that may be where it waits for its time."""

    __slots__ = ("exchange", "mandatory", "message", "properties", "routing_key")

    def __init__(self, message: OutgoingMessage, mandatory: bool) -> None:
        self.message = message
        self.exchange = message.exchange
        self.routing_key = message.routing_key
        self.properties = message.properties
        #: Whether it is an error that no queue is bound for it.
        self.mandatory = mandatory


class Publishing:
    """One connection and one channel, in confirm mode.  Used by one thread at a time."""

    def __init__(self, link: Link, confirm_timeout: float) -> None:
        self._link = link
        self._timeout = confirm_timeout
        self._channel: Any = None
        self._confirms = Confirms()
        #: Called with each new channel.
        self.on_channel: Callable[[Any], None] = lambda _: None
        #: The places in the last batch of those that are not on the server, or may not be, after `publish` has raised.
        self.failed: list[int] = []
        #: Those of them that the server has refused, which therefore are not there.
        self.refused: set[int] = set()

    def channel(self) -> Any:
        """The channel; a connection that was closed while nobody used it is made anew.  Raises `OperationalError`."""
        wire = self._link.wire
        if wire is not None and self._channel is not None:
            try:
                wire.take()
            except ERRORS:
                self.drop()
            else:
                return self._channel
        wire = self._link.connect()
        try:
            channel = wire.channel()
            channel.auto_decode = False
            channel.confirm_select()
        except ERRORS as error:
            self.drop()
            raise self._link.explained(error) from error
        confirms = self._confirms = Confirms()
        wire.confirmed[channel.channel_id] = confirms.taken
        channel.events["basic_nack"].add(confirms.not_taken)
        channel.events["basic_return"].add(confirms.came_back)
        self._channel = channel
        self.on_channel(channel)
        return channel

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """What `question` gives, which is called with the channel.  Raises `OperationalError`."""
        channel = self.channel()
        try:
            return question(channel)
        except ERRORS as error:
            self.drop()
            raise self._link.explained(error) from error

    def has_exchange(self, name: str) -> bool:
        """Whether there is such an exchange.  Raises `OperationalError`."""
        self.channel()
        assert self._link.wire is not None
        try:
            with self._link.wire.channel() as other:
                other.exchange_declare(name, "", passive=True)
        except NotFound:
            return False
        except ERRORS as error:
            self.drop()
            raise self._link.explained(error) from error
        return True

    def publish(self, parcels: Sequence[Parcel]) -> None:
        """Put all on the server; `channel` is to be called before, as this does not look whether there is still one.

        Raises `OperationalError`; `failed` says then which are not there, or may not be.  Raises `SerializationError`
        for a message that AMQP cannot carry, and then none is there.
        """
        self.failed = list(range(len(parcels)))
        self.refused = set()
        channel = self.channel() if self._channel is None else self._channel
        wire = self._link.wire
        assert wire is not None
        batches = _batches(parcels, channel.channel_id, wire.frame_max)
        confirms, sent = self._confirms, 0
        first = 0
        try:
            for count, data in batches:
                if sent:
                    wire.take()
                number = confirms.sent(count)
                first = first or number
                sent += count
                wire.say(data)
            self._wait(wire, confirms)
        except ERRORS as error:
            known = {number - first for number in range(first, first + sent)}
            known -= {number - first for number in (*confirms.waiting, *confirms.refused)}
            known -= set(_places(confirms.returned, parcels))
            self.failed = [place for place in range(len(parcels)) if place not in known]
            explained = self._stalled(wire) if is_silence(error) else self._link.explained(error)
            self.drop()
            raise explained from error
        self._judge(parcels, confirms, first)

    def _wait(self, wire: Wire, confirms: Confirms) -> None:
        wire.handle_read()
        deadline = time.monotonic() + self._timeout
        while confirms.waiting:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            wire.take_within(left)

    def _stalled(self, wire: Wire) -> OperationalError:
        """The error to raise where the server has taken too long."""
        if wire.blocked is None:
            # It may have said so while it would not read.
            with contextlib.suppress(*ERRORS):
                wire.take()
        place, count = self._link.place, len(self.failed)
        if wire.blocked is not None:
            return Blocked(
                f"RabbitMQ at {place} takes no messages, because of an alarm: {wire.blocked}. {count} messages were "
                f"not confirmed within {self._timeout:g} s (confirm_timeout) and may be there later; have it store "
                "less, or raise its limit (vm_memory_high_watermark, disk_free_limit)"
            )
        return OperationalError(
            f"RabbitMQ at {place} has not confirmed {count} messages within {self._timeout:g} s: a queue may be "
            "overloaded"
        )

    def _judge(self, parcels: Sequence[Parcel], confirms: Confirms, first: int) -> None:
        refused = self.refused = {number - first for number in confirms.refused}
        returned = _places(confirms.returned, parcels) if confirms.returned else {}
        confirms.forget()
        self.failed = sorted(refused.union(returned))
        if not self.failed:
            return
        told = []
        if returned:
            one = next(iter(returned.values()))
            told.append(
                f"{len(returned)} of {len(parcels)} messages were returned, because no queue is bound to the exchange "
                f"{one.exchange!r} with the routing key {one.routing_key!r} ({one.reason}); declare one (task_queues) "
                "or send to a queue by its name"
            )
        if refused:
            told.append(
                f"{len(refused)} of {len(parcels)} messages were refused: a queue is full (x-max-length with "
                "reject-publish) or out of order"
            )
        raise OperationalError(f"RabbitMQ at {self._link.place}: {'; '.join(told)}")

    def drop(self) -> None:
        """Give up the connection."""
        self._channel = None
        self._link.drop()

    def close(self) -> None:
        """Take leave; tolerates twice, and what follows connects again."""
        self._channel = None
        self._link.close()


def _batches(parcels: Sequence[Parcel], channel: int, most: int) -> list[tuple[int, bytes]]:
    """How many messages, and their bytes, by what is written in one go."""
    methods: dict[tuple[str, str, bool], bytes] = {}
    batches: list[tuple[int, bytes]] = []
    parts: list[bytes] = []
    count = size = 0
    for parcel in parcels:
        message = parcel.message
        where = (parcel.exchange, parcel.routing_key, parcel.mandatory)
        try:
            method = methods.get(where)
            if method is None:
                method = methods[where] = publish_method(channel, *where)
            header = write_content(
                len(message.body), message.content_type, message.content_encoding, message.headers, parcel.properties
            )
            if len(header) > most - OVERHEAD:  # the server would close the connection, and all others on it with it
                raise ValueError(
                    f"its headers take {len(header)} bytes, and a frame of this server {most} (frame_max); put what is "
                    "large into the arguments"
                )
        except (TableError, ValueError) as error:
            named = message.headers.get("id") if message.headers else None
            raise SerializationError(f"message {named}: RabbitMQ cannot carry it: {error}") from error
        parts.append(method)
        parts += content(channel, header, message.body, most)
        count += 1
        size += len(header) + len(message.body)
        if size >= _AT_ONCE:
            batches.append((count, b"".join(parts)))
            parts, count, size = [], 0, 0
    if parts:
        batches.append((count, b"".join(parts)))
    return batches


def _places(returned: Sequence[Returned], parcels: Sequence[Parcel]) -> dict[int, Returned]:
    """Where in the batch those are that came back: what came back says where it was sent to, and its correlation id."""
    left: dict[tuple[str, str, Any], list[Returned]] = {}
    for one in returned:
        left.setdefault((one.exchange, one.routing_key, one.correlation_id), []).append(one)
    found = {}
    for place, parcel in enumerate(parcels):
        correlation_id = parcel.properties.get("correlation_id")
        known = left.get((parcel.exchange, parcel.routing_key, None if correlation_id is None else str(correlation_id)))
        if known and parcel.mandatory:
            found[place] = known.pop()
    return found
