"""One channel to the broker, for the operations of ``celeriac amqp``."""

# Kombu's channels have no annotations.
# mypy: allow-untyped-calls
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from celeriac.app.base import Celery


class BrokerChannel:
    """Opened when it is first used, and again after an error that has closed it.

    Errors of the broker are raised as `click.ClickException`; all methods block until it has answered.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Any = None
        self._channel: Any = None
        #: By the delivery tag as it was shown: the tag itself, which may be a number.
        self._tags: dict[str, Any] = {}

    def __enter__(self) -> BrokerChannel:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.release()

    def connect(self) -> str:
        """Connect, and tell where to."""
        self._open()
        return self._app.broker_uri()

    def _open(self) -> Any:
        if self._connection is None:
            self._connection = self._app.connection_for_write()
            self._connection.ensure_connection(max_retries=1)
        if self._channel is None:
            self._channel = self._connection.channel()
            self._tags.clear()
        return self._channel

    def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Carry out an operation of the channel by its name."""
        channel = self._open()
        try:
            return getattr(channel, operation)(*args, **kwargs)
        except KeyError as error:  # of Kombu's transports that know only what this connection has declared
            raise click.ClickException(
                f"this broker keeps no exchanges, so {error} must be declared at the same prompt: celeriac amqp repl"
            ) from None
        except self._connection.channel_errors as error:
            # The broker has closed it.
            self._connection.maybe_close_channel(channel)
            self._channel = None
            raise click.ClickException(f"the broker refuses: {error}") from None

    def get(self, queue: str, no_ack: bool) -> dict[str, Any] | None:
        """A message as names and values; None where there is none."""
        message = self.call("basic_get", queue, no_ack=no_ack)
        if message is None:
            return None
        as_python = getattr(self._channel, "message_to_python", None)
        message = message if as_python is None else as_python(message)
        info = message.delivery_info or {}
        self._tags[str(message.delivery_tag)] = message.delivery_tag
        body = bytes(message.body) if isinstance(message.body, memoryview) else message.body
        return {
            "body": body.decode(errors="replace") if isinstance(body, bytes) else body,
            "content_type": message.content_type,
            "headers": message.headers,
            "exchange": info.get("exchange"),
            "routing_key": info.get("routing_key"),
            "redelivered": info.get("redelivered"),
            "delivery_tag": message.delivery_tag,
        }

    def ack(self, tag: str) -> None:
        """Ack a message that was got through this channel."""
        if tag not in self._tags:
            raise click.ClickException(
                f"no message with the delivery_tag {tag!r} was got here: tags belong to one channel, so get and ack at "
                "the prompt of `celeriac amqp`"
            )
        self.call("basic_ack", self._tags.pop(tag))

    def publish(self, text: str, exchange: str, routing_key: str, **options: bool) -> None:
        """Publish a text."""
        message = self._open().prepare_message(
            text.encode(), content_type="text/plain", content_encoding="utf-8", headers={}, properties={}
        )
        given = {name: True for name, wanted in options.items() if wanted}
        self.call("basic_publish", message, exchange=exchange, routing_key=routing_key, **given)
