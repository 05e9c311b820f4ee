"""Messages as they arrive, which are read when they are claimed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final, NamedTuple

from celeriac.contracts import Delivery
from celeriac_amqp.content import Content, Envelope, read_content, read_envelope, tag_in
from celeriac_amqp.delays import own_key
from celeriac_amqp.tables import TableError

logger = logging.getLogger("celeriac.amqp")

#: The header by which a quorum queue tells how often a message was delivered before.
_DELIVERY_COUNT: Final = "x-delivery-count"


class Source(NamedTuple):
    """The queue that a consumer of ours reads."""

    queue: str
    counts: bool


class Arrival(NamedTuple):
    """The payloads of a delivery's frames; `base` is what its tag is counted from."""

    arguments: bytes
    header: bytes
    body: bytes
    base: int

    @property
    def tag(self) -> int:
        """The lane's tag of the message."""
        return self.base + tag_in(self.arguments)

    def delivery(self, sources: Mapping[str, Source]) -> Delivery:
        """The message.  One that cannot be read has no headers."""
        try:
            envelope = read_envelope(self.arguments)
        except TableError as error:
            logger.error("A message comes with a delivery that cannot be read: %s", error)
            envelope = Envelope("", tag_in(self.arguments), True, "", "")
        source = sources.get(envelope.consumer) or Source(envelope.routing_key, False)
        try:
            content = read_content(self.header)
        except TableError as error:
            logger.error("A message of queue %r has properties that cannot be read: %s", source.queue, error)
            content = Content("", "", {}, {})
        headers = content.headers
        count = 0 if envelope.redelivered else 1
        if source.counts:
            # Taken away, or a retry would be sent with it.
            before = headers.pop(_DELIVERY_COUNT, 0)
            count = before + 1 if isinstance(before, int) else 0
        return Delivery(
            self.base + envelope.tag,
            source.queue,
            headers,
            content.properties,
            self.body,
            content.content_type,
            content.content_encoding,
            envelope.exchange,
            own_key(envelope.routing_key),
            envelope.redelivered,
            count,
        )
