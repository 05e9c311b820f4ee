"""The way out for events: at once or in batches, always in the order in which they were sent."""

# Kombu's producers have no annotations.
# mypy: allow-untyped-calls
from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from kombu import Producer

from celeriac.app.current import get_current_app
from celeriac.events.event import Event, can_fan_out, get_exchange, group_from, routing_key_of, utcoffset
from celeriac.events.lane_producer import LaneProducer
from celeriac.exceptions import SerializationError
from celeriac.protocol.origin import nodename

if TYPE_CHECKING:
    from celeriac.app.base import Celery

logger = logging.getLogger("celeriac.events")

#: So many events are kept while the broker is away; then the oldest go.
_KEPT: Final = 10_000
#: Seconds for which a broker that did not answer is left alone, at first and at most.
_SOONEST, _LATEST = 1.0, 30.0


class EventDispatcher:
    """Sends events through one connection.  Any thread may call it, one at a time gets its turn.

    Needs a Kombu `connection` or `channel`, which stay the caller's.  `hostname` is the node name that events are
    sent under.  `groups`: only these are sent, all if there are none.  Events of a group in `buffer_group` wait for
    `flush` and go `buffer_limit` in a message; `on_send_buffered` is called when one has begun to wait, and where it
    is None a full buffer flushes itself.  With `through_lanes` all that is not to be tried again goes through the lanes
    of the app, where its transport has some: for a connection that is to the app's own broker.

    With `buffer_while_offline` an event that cannot be sent is kept, and goes before all later ones, when the broker
    is there again; without it `send` raises what the transport raises, and the event is lost.
    """

    app: Any = None

    def __init__(
        self,
        connection: Any = None,
        hostname: str | None = None,
        enabled: bool = True,
        channel: Any = None,
        buffer_while_offline: bool = True,
        app: Celery | None = None,
        serializer: str | None = None,
        groups: Iterable[str] | None = None,
        delivery_mode: int = 1,
        buffer_group: Iterable[str] | None = None,
        buffer_limit: int = 24,
        on_send_buffered: Callable[[], None] | None = None,
        through_lanes: bool = False,
    ) -> None:
        if connection is None and channel is None:
            raise ValueError("an EventDispatcher needs a connection, or a channel")
        self.app = app or self.app or get_current_app()
        self.connection = connection
        self.channel = channel
        self.hostname = hostname or nodename("celery")
        self.buffer_while_offline = buffer_while_offline
        self.buffer_group = frozenset(buffer_group or ())
        self.buffer_limit = buffer_limit
        self.on_send_buffered = on_send_buffered
        self.serializer = serializer or self.app.conf.event_serializer
        self.app.serializers.get(self.serializer)  # where there is none, that is told now
        self.delivery_mode = delivery_mode
        self.groups = set(groups or ())
        self.clock = self.app.clock
        self.pid = os.getpid()
        #: Called when `enable` and `disable` have changed something.
        self.on_enabled: set[Callable[[], Any]] = set()
        self.on_disabled: set[Callable[[], Any]] = set()
        conn = connection or channel.connection.client
        self.exchange = get_exchange(conn, name=self.app.conf.event_exchange)
        self.enabled = False
        self.producer: Any = None
        #: Whether the transport can carry one event to many receivers.
        self.can_send = can_fan_out(conn)
        has_lanes = through_lanes and getattr(conn.transport_cls, "producer_lane", None) is not None
        self._lane_producer = LaneProducer(self.app) if has_lanes else None
        self._muted: set[str] = set()
        self._offset = utcoffset()
        #: With their groups.
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._dropped = 0
        self._lock = threading.RLock()
        self._pause = _SOONEST
        self._monotonic_retry = 0.0
        if enabled:
            self.enable()

    def __enter__(self) -> EventDispatcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- on and off ---------------------------------------------------------------------------------------------------

    def enable(self, group: str | None = None) -> bool:
        """Send events from now on; with a group, those of this group too.  True if that is a change."""
        if group is not None:
            changed = not self.wants(group)
            self._muted.discard(group)
            if self.groups:
                self.groups.add(group)
            return changed
        if self.enabled or not self.can_send:
            return False
        self.enabled = True
        for callback in list(self.on_enabled):
            callback()
        return True

    def disable(self, group: str | None = None) -> bool:
        """Send nothing from now on; with a group, nothing of this group.  True if that is a change."""
        if group is not None:
            changed = self.wants(group)
            self.groups.discard(group)
            self._muted.add(group)
            return changed
        if not self.enabled:
            return False
        self.enabled = False
        self._release()
        for callback in list(self.on_disabled):
            callback()
        return True

    def wants(self, group: str) -> bool:
        """Whether events of this group are sent, where any are."""
        return group not in self._muted and (not self.groups or group in self.groups)

    # -- sending ------------------------------------------------------------------------------------------------------

    def send(
        self,
        type: str,
        blind: bool = False,
        retry: bool = False,
        retry_policy: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """Send an event of this type; `blind` leaves the logical clock alone.

        `retry` tries again by `retry_policy` before the broker counts as away.
        """
        if not self.enabled:
            return
        group = group_from(type)
        if not self.wants(group):
            return
        if group in self.buffer_group:
            self.gather(type, fields, blind)
            return
        with self._lock:
            self._keep(group, self._event(type, fields, blind))
            self._flush({"retry": retry, "retry_policy": retry_policy})

    def gather(self, type: str, fields: dict[str, Any], blind: bool = False) -> None:
        """Add an event to those that wait to go together; for who has asked `wants` and tells many, as workers do."""
        event = self._event(type, fields, blind)
        with self._lock:
            self._keep(group_from(type), event)
            if self.on_send_buffered is not None:
                self.on_send_buffered()
            elif len(self._waiting) >= self.buffer_limit:
                self.flush()

    def send_all(
        self,
        type: str,
        events: Sequence[dict[str, Any]],
        retry: bool = False,
        retry_policy: dict[str, Any] | None = None,
    ) -> None:
        """Send several events of one type, given by their fields: more than one go together, as ``<group>.multi``."""
        group = group_from(type)
        if len(events) == 1:
            self.send(type, False, retry, retry_policy, **events[0])
        elif events and self.enabled and self.wants(group):
            with self._lock:
                for fields in events:
                    self._keep(group, self._event(type, fields))
                self.buffer_group |= {group}
                self._flush({"retry": retry, "retry_policy": retry_policy})

    def publish(
        self, type: str, fields: dict[str, Any], producer: Any, blind: bool = False, Event: Any = Event, **kwargs: Any
    ) -> None:
        """Send one event through a Kombu producer of the caller's, past buffers.  Raises what that raises."""
        self._say(producer, routing_key_of(type), Event(type, self._event(type, fields, blind)), kwargs)

    def _event(self, type: str, fields: dict[str, Any], blind: bool = False) -> dict[str, Any]:
        return {
            "type": type,
            "hostname": self.hostname,
            "utcoffset": self._offset,
            "pid": self.pid,
            "clock": None if blind else self.clock.forward(),
            "timestamp": time.time(),
            **fields,
        }

    def flush(self, errors: bool = True, groups: bool = True) -> bool:
        """Send all that waits, in order; False if some still does, because the broker is away.

        `errors` and `groups` say what is to go: what could not be sent, what waits to go in a batch; one queue holds
        both, so either is all.
        """
        with self._lock:
            return self._flush({}) if self.enabled and (errors or groups) else not self._waiting

    @property
    def waiting(self) -> int:
        """Events that are yet to be sent."""
        return len(self._waiting)

    @property
    def retry_in(self) -> float:
        """Seconds until a broker that did not answer is tried again; 0 where it may be at once."""
        return max(0.0, self._monotonic_retry - time.monotonic())

    def _keep(self, group: str, event: dict[str, Any]) -> None:
        waiting = self._waiting
        if len(waiting) >= _KEPT:
            waiting.popleft()
            self._dropped += 1
        waiting.append((group, event))

    def _flush(self, options: dict[str, Any]) -> bool:
        waiting = self._waiting
        if not waiting:
            return True
        if self.retry_in:
            return False
        self._offset = utcoffset()
        try:
            producer = self._lane_producer
            if producer is None or options.get("retry"):
                producer = self._connected()
            while waiting:
                count, routing_key, body = self._next()
                self._say(producer, routing_key, body, options)
                for _ in range(count):
                    waiting.popleft()
        except SerializationError:
            self._drop_unencodable()
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, what was to be sent must be kept
            return self._failed(error)
        self._reached()
        return True

    def _next(self) -> tuple[int, str, dict[str, Any] | list[dict[str, Any]]]:
        """How many events the next message takes, its routing key and its body: a list for a group that is buffered."""
        group, first = self._waiting[0]
        if group not in self.buffer_group:
            return 1, routing_key_of(first["type"]), first
        batch: list[dict[str, Any]] = []
        for other, event in self._waiting:
            if other != group or len(batch) == self.buffer_limit:
                break
            batch.append(event)
        return len(batch), f"{group}.multi", batch

    def _drop_unencodable(self) -> None:
        """Forget the events that no message can carry, or they would hold up all others."""
        entries = list(self._waiting)
        self._waiting.clear()
        for group, event in entries:
            try:
                self.app.serializers.encode(event, self.serializer)
            except SerializationError as error:
                logger.error("Event %s cannot be sent: %s", event["type"], error)
            else:
                self._waiting.append((group, event))

    def _say(
        self,
        producer: Any,
        routing_key: str,
        body: dict[str, Any] | Sequence[dict[str, Any]],
        options: dict[str, Any],
    ) -> None:
        content_type, content_encoding, data = self.app.serializers.encode(body, self.serializer)
        producer.publish(
            data,
            routing_key=routing_key,
            exchange=self.exchange,
            declare=[self.exchange],
            content_type=content_type,
            content_encoding=content_encoding,
            headers={"hostname": self.hostname},
            delivery_mode=self.delivery_mode,
            **options,
        )

    # -- the broker comes and goes ------------------------------------------------------------------------------------

    def _connected(self) -> Any:
        if self.producer is None:
            channel = self.channel
            if channel is None:
                # One try with each URL: who waits for more must not stop the worker's loop.
                self.connection.ensure_connection(max_retries=max(len(self.connection.alt) - 1, 0))
                channel = self.connection.channel()
            self.producer = Producer(channel, exchange=self.exchange, auto_declare=False)
        return self.producer

    def _failed(self, error: Exception) -> bool:
        """An event could not be sent."""
        self._release(is_lost=True)
        if not self.buffer_while_offline:
            self._waiting.clear()
            raise error
        if not self._monotonic_retry:
            logger.warning("Events cannot be sent (%s: %s); they are kept", type(error).__name__, error)
        self._monotonic_retry = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LATEST)
        return False

    def _reached(self) -> None:
        if self._monotonic_retry:
            dropped = f"; {self._dropped} were too many to keep, and are lost" if self._dropped else ""
            logger.warning("Events are sent again%s", dropped)
            self._monotonic_retry, self._pause, self._dropped = 0.0, _SOONEST, 0

    def _release(self, is_lost: bool = False) -> None:
        producer, self.producer = self.producer, None
        if producer is None or self.channel is not None:
            return
        try:
            if is_lost:
                self.connection.collect()
            else:
                producer.channel.close()
        except Exception as error:  # noqa: BLE001  # of a connection that is of no more use
            logger.debug("The channel of events did not end well: %r", error)

    def extend_buffer(self, other: EventDispatcher) -> None:
        """Take over what another dispatcher could not send; it goes before what waits here."""
        with self._lock:
            self._waiting.extendleft(reversed(other._waiting))
            other._waiting.clear()

    def close(self) -> None:
        """Send what waits if the broker is there, and release the channel.  Tolerates twice."""
        with self._lock:
            if self.enabled and self._waiting and not self.retry_in:
                try:
                    self._flush({})
                except Exception as error:  # noqa: BLE001  # whoever closes has no more use for it
                    logger.warning("The last events could not be sent: %s", error)
            self._release()
