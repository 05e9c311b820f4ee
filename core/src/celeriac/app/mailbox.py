"""The mailbox of remote control: how its queues and exchanges are declared, and in what its messages are written."""

# Kombu's pidbox has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kombu import Consumer, Exchange, Producer
from kombu.pidbox import Mailbox, Node
from kombu.transport import virtual

from celeriac.app.mail_codec import MailCodec
from celeriac.exceptions import CeleryError, ProtocolError
from celeriac.protocol.shapes import described

if TYPE_CHECKING:
    from celeriac.app.base import Celery

logger = logging.getLogger("celeriac.control")

#: Seconds in which answers are taken when as many have come as there are queues: two workers of one name share one.
_GRACE: Final = 0.1


class _CommandProducer:
    """A Kombu producer of commands that the app's serializers write."""

    def __init__(self, producer: Any, codec: MailCodec, is_returned: bool) -> None:
        self._producer = producer
        self._codec = codec
        self._is_returned = is_returned

    def publish(self, body: Any, serializer: Any = None, **options: Any) -> Any:  # the app says which
        content_type, content_encoding, data = self._codec.encode_command(body)
        if self._is_returned:
            options["mandatory"] = True
        return self._producer.publish(data, content_type=content_type, content_encoding=content_encoding, **options)


class AppMailbox(Mailbox):
    """Kombu's mailbox, whose messages the serializers of one app write and read."""

    codec: MailCodec
    #: How many answers to the command that is being sent are to be expected, None where nobody knows.
    _expected: int | None = None
    #: Whether the broker says so if nobody gets that command, and whether it has.
    _is_returned = False
    _is_nobody_there = False

    def broadcast_and_wait(self, command: str, arguments: Mapping[str, Any], **options: Any) -> list[Any]:
        """Send a command; the answers, as soon as all have come of whom the broker knows."""
        used: Any = options.pop("channel", None) or self.connection.default_channel  # type: ignore[union-attr]  # Kombu
        exchange: Any = self.exchange
        self._expected = listeners(used, exchange.name)
        # AMQP's brokers give a message back that reaches nobody, and nothing else.
        self._is_returned = hasattr(used, "events")
        try:
            answers: list[Any] = self._broadcast(command, arguments, reply=True, channel=used, **options)
            return answers
        finally:
            if self._is_returned:
                used.events["basic_return"].discard(self._returned)

    def _returned(self, *_: Any) -> None:
        self._is_nobody_there = True

    @contextmanager
    def producer_or_acquire(self, producer: Any = None, channel: Any = None) -> Iterator[Any]:
        """Give the producer of a command."""
        if producer is None:
            on_return = self._returned if self._is_returned else None
            producer = Producer(channel, auto_declare=False, on_return=on_return)
        yield _CommandProducer(producer, self.codec, self._is_returned)

    def publish_answer(self, answer: Any, exchange: str, routing_key: str, ticket: Any, channel: Any) -> None:
        """Send an answer, once.  Raises `SerializationError`, and what the transport raises."""
        content_type, content_encoding, data = self.codec.encode(answer)
        declared = Exchange(exchange, type="direct", delivery_mode="transient", durable=False)
        Producer(channel, auto_declare=False).publish(
            data,
            exchange=exchange,
            routing_key=routing_key,
            declare=[declared],
            content_type=content_type,
            content_encoding=content_encoding,
            headers={"ticket": ticket, "clock": self.clock.forward()},
        )

    def _collect(
        self,
        ticket: str,
        limit: int | None = None,
        timeout: float | None = 1,
        callback: Callable[[Any], Any] | None = None,
        channel: Any = None,
        accept: Any = None,  # the app says what it reads
    ) -> list[Any]:
        """The answers to one command.

        `limit` of them; or all that are expected; or all that come no later than `timeout` after another.
        """
        used: Any = channel or self.connection.default_channel  # type: ignore[union-attr]  # Kombu says None
        queue = self.reply_queue
        answers: list[Any] = []

        def take(message: Any) -> None:
            if (message.headers or {}).get("ticket", ticket) != ticket:
                return  # an answer to an earlier command, for which nobody waits any more
            answer = self._read(message)
            if answer is None:
                return
            if callback is not None:
                callback(answer)
            answers.append(answer)

        try:
            with Consumer(used, [queue], on_message=take, on_decode_error=refused, no_ack=True):
                while not self._is_nobody_there and (not limit or len(answers) < limit):
                    is_all = self._expected is not None and len(answers) >= self._expected
                    patience = min(_GRACE, timeout or _GRACE) if is_all else timeout
                    self.connection.drain_events(timeout=patience)  # type: ignore[union-attr]  # as above
        except TimeoutError:
            pass
        finally:
            used.after_reply_message_received(queue.name)
        return answers

    def _read(self, message: Any) -> Any:
        clock, expires = message.headers.get("clock"), message.headers.get("expires")
        if isinstance(clock, int):
            self.clock.adjust(clock)
        if isinstance(expires, (int, float)) and 0 < expires < time.time():
            return None
        try:
            answer = self.codec.decode(message)
            if not isinstance(answer, Mapping):
                raise ProtocolError(f"an answer is a map by node, not {described(answer)}")
        except CeleryError as error:
            refused(message, error)
            return None
        return answer


class MailboxNode(Node):
    """Kombu's node at an `AppMailbox`."""

    def Consumer(
        self, channel: Any = None, no_ack: bool = True, accept: Any = None, **options: Any
    ) -> Any:  # Kombu's name
        """Listen; each message is read by the codec of the mailbox and given to `handle_message`."""
        options.pop("callbacks", None)
        options.setdefault("on_decode_error", refused)
        return super().Consumer(channel, no_ack, accept, on_message=self.on_message, **options)

    def on_message(self, message: Any) -> None:
        """Take one message; whatever it holds, nothing is raised for it."""
        codec: MailCodec = self.mailbox.codec  # type: ignore[union-attr]  # Kombu says None
        try:
            body = codec.decode_command(message)
        except CeleryError as error:
            refused(message, error)
            return
        self.handle_message(body, message)

    def reply(self, data: Any, exchange: str, routing_key: str, ticket: Any, **_: Any) -> None:
        """Send an answer."""
        mailbox: Any = self.mailbox
        mailbox.publish_answer(data, exchange, routing_key, ticket, self.channel)


def listeners(channel: Any, exchange: str) -> int | None:
    """How many queues get what is sent to a fanout exchange; None where the broker does not say."""
    if not isinstance(channel, virtual.Channel):
        return None
    kind, base = type(channel), virtual.Channel
    is_told = kind.get_table is not base.get_table or kind._lookup is not base._lookup
    if not is_told and channel.connection.driver_type != "memory":
        return None  # it knows what this process has bound, and no other
    return len(channel._lookup(exchange, ""))


def refused(message: Any, error: BaseException) -> None:
    """Tell of a message that is not read; also for what Kombu could not decompress."""
    headers = message.headers if isinstance(message.headers, Mapping) else {}
    logger.error(
        "A message of remote control is refused, and dropped: %s (sent by %s, content type %s)",
        error,
        str(headers.get("origin"))[:200],
        str(message.content_type)[:100],
    )


def mailbox_of(app: Celery, kind: type[AppMailbox] = AppMailbox) -> AppMailbox:
    """The mailbox that all workers of the app's broker share.

    Commands go to every worker through a fanout exchange; replies come to a queue of whoever asks.  The queues clean
    themselves up: what has no consumer is gone after ``control_queue_expires`` seconds.
    """
    conf = app.conf
    mailbox = kind(
        conf.control_exchange,
        type="fanout",
        clock=app.clock,
        queue_ttl=conf.control_queue_ttl,
        queue_expires=conf.control_queue_expires,
        queue_durable=conf.control_queue_durable,
        queue_exclusive=conf.control_queue_exclusive,
        reply_queue_ttl=conf.control_queue_ttl,
        reply_queue_expires=conf.control_queue_expires,
    )
    mailbox.codec = MailCodec(app)
    return mailbox
