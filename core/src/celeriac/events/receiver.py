"""The way in for events."""

# Kombu's consumers have no annotations.
# mypy: allow-untyped-calls
from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from kombu import Queue
from kombu.connection import maybe_channel
from kombu.mixins import ConsumerMixin

from celeriac.app.current import get_current_app
from celeriac.app.serialization import name_of, refusal
from celeriac.events.event import get_exchange
from celeriac.exceptions import CeleryError, ProtocolError

if TYPE_CHECKING:
    from celeriac.app.base import Celery

logger = logging.getLogger("celeriac.events")

#: No clock has come as far as this; one that says so would take all others along.
_LATEST_CLOCK: Final = 2**53

Event = dict[str, Any]
Handler = Callable[[Event], Any]


class EventReceiver(ConsumerMixin):
    """Calls `handlers` by the type of an event, the handler ``*`` for all others.

    `channel` is a Kombu connection or channel; `routing_key` says which events are wanted (``worker.#``).  What is
    None of the queue's flags comes from the settings ``event_queue_*``.
    """

    app: Any = None

    def __init__(
        self,
        channel: Any,
        handlers: Mapping[str, Handler] | None = None,
        routing_key: str = "#",
        node_id: str | None = None,
        app: Celery | None = None,
        queue_prefix: str | None = None,
        accept: Iterable[str] | None = None,
        queue_ttl: float | None = None,
        queue_expires: float | None = None,
        queue_exclusive: bool | None = None,
        queue_durable: bool | None = None,
    ) -> None:
        self.app = app or self.app or get_current_app()
        conf = self.app.conf
        self.channel = maybe_channel(channel)
        self.connection = self.channel.connection.client
        self.handlers = {} if handlers is None else handlers
        self.routing_key = routing_key
        self.node_id = node_id or str(uuid4())
        self.queue_prefix = queue_prefix or conf.event_queue_prefix
        self.exchange = get_exchange(self.connection, name=conf.event_exchange)
        self.queue = Queue(
            f"{self.queue_prefix}.{self.node_id}",
            exchange=self.exchange,
            routing_key=routing_key,
            auto_delete=True,
            durable=_either(queue_durable, conf.event_queue_durable),
            exclusive=_either(queue_exclusive, conf.event_queue_exclusive),
            message_ttl=_either(queue_ttl, conf.event_queue_ttl),
            expires=_either(queue_expires, conf.event_queue_expires),
        )
        self.clock = self.app.clock
        self.accept = set(accept or _accepted(self.app))
        serializers = [self.app.serializers.get(name_of(name)) for name in self.accept]
        self._readers = {serializer.content_type: serializer for serializer in serializers}

    # -- for the caller -----------------------------------------------------------------------------------------------

    def capture(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> None:
        """Call the handlers for `limit` messages, or for ever; `wakeup` asks all workers to tell that they are there.

        Raises TimeoutError when nothing has come for `timeout` seconds, and what the transport raises when the
        connection is lost.
        """
        for _ in self.itercapture(limit, timeout, wakeup):
            pass

    def itercapture(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> Iterator[Any]:
        """As `capture`, and gives the turn back after each message."""
        return self.consume(limit=limit, timeout=timeout, wakeup=wakeup)  # type: ignore[no-any-return]  # as above

    def wakeup_workers(self, channel: Any = None) -> None:
        """Ask all workers for a heartbeat, so that they need not be waited for."""
        self.app.control.broadcast("heartbeat", connection=self.connection, channel=channel)

    def process(self, type: str, event: Event) -> None:
        """Call the handler of one event."""
        handler = self.handlers.get(type) or self.handlers.get("*")
        if handler is not None:
            handler(event)

    # -- for Kombu's mixin --------------------------------------------------------------------------------------------

    def create_connection(self) -> Any:
        """A connection of its own, to the same broker."""
        connection = self.connection.clone()
        connection.transport_cls = self.connection.transport_cls
        connection.app = self.app
        return connection

    def get_consumers(self, Consumer: Any, channel: Any) -> list[Any]:
        """The one consumer that this needs."""
        return [Consumer(queues=[self.queue], on_message=self.on_message, no_ack=True)]

    def on_consume_ready(
        self, connection: Any, channel: Any, consumers: Any, wakeup: bool = True, **kwargs: Any
    ) -> None:
        """It begins."""
        if wakeup:
            self.wakeup_workers(channel=channel)

    # -- messages -----------------------------------------------------------------------------------------------------

    def on_message(self, message: Any) -> None:
        """Call the handlers for what is in a message.  One that cannot be read is told of and passed over."""
        for type, event in self.events_in(message):
            self.process(type, event)

    def events_in(self, message: Any) -> Iterator[tuple[str, Event]]:
        """The events of a Kombu message, with their types; none where it cannot be read."""
        try:
            body = self._decoded(message)
        except CeleryError as error:
            self.on_decode_error(message, error)
            return
        for one in body if isinstance(body, list) else (body,):
            if not isinstance(one, dict) or not isinstance(one.get("type"), str):
                logger.error("Something that is no event is dropped: %.200r", one)
                continue
            yield self.event_from_message(one)

    def on_decode_error(self, message: Any, exc: BaseException) -> None:
        """Tell of a message that is passed over; Kombu calls this for one that it cannot decompress."""
        headers = message.headers if isinstance(message.headers, Mapping) else {}
        logger.error("A message of %s that is no event is dropped: %s", str(headers.get("hostname"))[:200], exc)

    def _decoded(self, message: Any) -> Any:
        reader = self._readers.get(message.content_type)
        if reader is None:
            raise refusal(message.content_type)
        data = message.body
        data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
        # Kombu has expanded it already, unless it could not.
        compression = message.headers.get("compression") if message.errors else None
        try:
            return reader.loads(self.app.compression.expand(data, compression) if compression else data)
        except CeleryError:
            raise
        except Exception as error:  # a serializer of a plugin
            raise ProtocolError(f"it cannot be read: {type(error).__name__}: {error}") from error

    def event_from_message(
        self, body: Event, localize: bool = True, now: Callable[[], float] = time.time
    ) -> tuple[str, Event]:
        """An event's type, and the event with the time of its arrival (`local_received`); sets the logical clock.

        `localize` is accepted and not needed: timestamps are seconds since the epoch, the same in every zone.
        """
        kind: str = body["type"]
        clock = body.get("clock")
        if kind == "task-sent" or type(clock) is not int or not 0 <= clock < _LATEST_CLOCK:
            # Clients share no clock with the workers: what they say comes just before what is next to come.
            body["clock"] = max(self.clock.value - 1, 0) or 1
            self.clock.forward()
        else:
            self.clock.adjust(clock)
        body["local_received"] = now()
        return kind, body


def _accepted(app: Celery) -> set[str]:
    """In what events are read: as they are sent here, and in JSON, unless they are signed here.

    A serializer that runs what the sender says counts only where ``accept_content`` names it.
    """
    own = app.serializers.get(app.conf.event_serializer)
    if own.authenticates:
        return {own.name}
    if own.trusts_sender and not app.serializers.accepts(own.content_type):
        return {"json"}
    return {own.name, "json"}


def _either(given: Any, configured: Any) -> Any:
    return configured if given is None else given
