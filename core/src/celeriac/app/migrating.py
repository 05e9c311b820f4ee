"""Moves or copies messages from one broker to another, whatever the two are."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kombu.exceptions import OperationalError

from celeriac.app.lanes import KombuProducerLane, properties_to_send_again
from celeriac.app.queues import is_missing_queue
from celeriac.contracts.broker import OutgoingMessage, ProducerLane
from celeriac.contracts.urls import mask_password
from celeriac.exceptions import ProtocolError
from celeriac.protocol.timestamps import parse_moment

if TYPE_CHECKING:
    from celeriac.app.base import Celery

#: Messages that are sent in one go.
_BATCH: Final = 100
#: Seconds between two looks at queues that were empty.
_PAUSE: Final = 0.1


@dataclass(slots=True)
class Migration:
    """One run: `limit` messages at most, until nothing has come for `timeout` seconds, or with `forever` until ended.

    Without `ack` the messages stay in the source, out of the sight of others until the run ends.  `tasks` names those
    that go, all unless given; others stay.  Each message arrives in the queue that it was in, and is sent before it is
    acked: those that are on their way when this process dies, a batch at most, are in both brokers, none is in neither.
    """

    app: Celery
    source: str
    destination: str
    queues: Sequence[str]
    ack: bool = False
    tasks: Collection[str] = ()
    limit: int | None = None
    timeout: float = 1.0
    forever: bool = False
    #: Called with the number of messages after each batch.
    on_sent: Callable[[int], object] = lambda _: None
    #: What was sent, by queue.
    sent: dict[str, int] = field(default_factory=dict)
    #: How many were left, because they are of other tasks.
    passed_over: int = 0
    #: Whether `stop` was called.
    is_stopping: bool = False
    _kept: list[Any] = field(default_factory=list)

    def stop(self) -> None:
        """End when the batch that is on its way has arrived; from any thread, or a signal handler."""
        self.is_stopping = True

    def waiting(self) -> int:
        """How many messages wait in the source.  Raises `OperationalError` where it is out of reach."""
        with self.app.connection_for_read(self.source) as connection:
            _connect(connection, self.source)
            return sum(_waiting(connection, queue) or 0 for queue in self.queues)

    def run(self) -> int:
        """Do it; gives how many messages were sent.  Raises `OperationalError` where one broker is or goes away."""
        with (
            self.app.connection_for_read(self.source) as connection,
            self.app.connection_for_write(self.destination) as target,
        ):
            _connect(connection, self.source)
            _connect(target, self.destination)
            there = list(self.queues) if self.forever else [each for each in self.queues if _may_have(connection, each)]
            with _naming(connection, self.source):
                channel = connection.channel()
            lane = _lane_to(self.app, self.destination)
            try:
                with _naming(connection, self.source):
                    self._move(channel, _NamedLane(lane, target, self.destination), there)
            finally:
                lane.close()
                with _naming(connection, self.source):
                    self._give_back(channel)
        return sum(self.sent.values())

    def _move(self, channel: Any, lane: _NamedLane, queues: Sequence[str]) -> None:
        for queue in queues if self.forever else ():
            self.app.amqp.queues[queue](channel).declare()
        monotonic_last = time.monotonic()
        while queues and not self._is_complete():
            if sum(self._move_batch(channel, lane, queue) for queue in queues):
                monotonic_last = time.monotonic()
            elif not self.forever and time.monotonic() - monotonic_last >= self.timeout:
                return
            else:
                time.sleep(_PAUSE)

    def _is_complete(self) -> bool:
        return self.is_stopping or (self.limit is not None and sum(self.sent.values()) >= self.limit)

    def _move_batch(self, channel: Any, lane: _NamedLane, queue: str) -> int:
        """Send what waits in one queue, up to a batch; gives how many messages were looked at."""
        wanted = _BATCH if self.limit is None else min(_BATCH, self.limit - sum(self.sent.values()))
        if wanted <= 0 or self.is_stopping:
            return 0
        messages, looked_at = [], 0
        for message in _taken(channel, queue):
            looked_at += 1
            is_wanted = not self.tasks or message.headers.get("task") in self.tasks
            if is_wanted:
                messages.append(message)
            else:
                self.passed_over += 1
            if not (is_wanted and self.ack):
                self._kept.append(message)
            if len(messages) >= wanted or looked_at >= _BATCH:
                break
        if messages:
            lane.publish([self._outgoing(message, queue) for message in messages])
            for message in messages if self.ack else ():
                message.ack()
            self.sent[queue] = self.sent.get(queue, 0) + len(messages)
            self.on_sent(len(messages))
        return looked_at

    def _outgoing(self, message: Any, queue: str) -> OutgoingMessage:
        body = message.body
        return OutgoingMessage(
            body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body),
            message.content_type,
            message.content_encoding,
            message.headers,
            properties_to_send_again(message.properties),
            # The default exchange: into this queue and no other, however the destination is wired.
            "",
            queue,
            self.app.amqp.queues[queue],
            _eta_of(message.headers),
        )

    def _give_back(self, channel: Any) -> None:
        # The youngest first: each goes before those that went back earlier.
        for message in reversed(self._kept):
            message.requeue()
        self._kept.clear()
        channel.close()


class _OneOfBoth(OperationalError):
    """What one of both brokers says, and which it is."""


@dataclass(frozen=True, slots=True)
class _NamedLane:
    """Sends; what goes wrong names the destination."""

    lane: ProducerLane
    connection: Any
    url: str

    def publish(self, messages: list[OutgoingMessage]) -> None:
        with _naming(self.connection, self.url):
            self.lane.publish(messages)


@contextmanager
def _naming(connection: Any, url: str) -> Iterator[None]:
    """Have errors of a broker say which of both it is.  Raises `OperationalError`."""
    try:
        yield
    except _OneOfBoth:
        raise
    except (OperationalError, *connection.connection_errors) as error:
        raise _OneOfBoth(f"cannot reach the broker {mask_password(url)}: {error}") from error
    except connection.channel_errors as error:
        raise _OneOfBoth(f"the broker {mask_password(url)} refuses: {error}") from error


def _taken(channel: Any, queue: str) -> Iterator[Any]:
    from kombu import Queue  # by then it is loaded

    source = Queue(queue)(channel)
    while (found := source.get(no_ack=False)) is not None:
        yield found


def _waiting(connection: Any, queue: str) -> int | None:
    """How many messages wait in a queue; None where there is no such queue."""
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True)[1])
    except connection.channel_errors as error:
        if not is_missing_queue(error):
            raise
        return None
    finally:
        connection.maybe_close_channel(channel)


def _may_have(connection: Any, queue: str) -> bool:
    """Whether to look into a queue: AMQP closes the channel on which one is asked for that is not there."""
    return connection.transport.driver_type != "amqp" or _waiting(connection, queue) is not None


def _lane_to(app: Celery, url: str) -> ProducerLane:
    connection = app.connection_for_write(url)
    native = getattr(connection.transport_cls, "producer_lane", None)
    return KombuProducerLane(connection) if native is None else native(connection)


def _eta_of(headers: Any) -> float | None:
    """When the task is due, in seconds since the epoch, so that the destination may hold it back."""
    try:
        eta = parse_moment(headers.get("eta"), "eta")
    except ProtocolError:  # whoever runs it refuses it
        return None
    return None if eta is None else eta.timestamp()


def _connect(connection: Any, url: str) -> None:
    """Connect.  Raises `OperationalError`, saying which of both brokers it is."""
    with _naming(connection, url):
        connection.ensure_connection(max_retries=1)
