"""A message as its frames have it: its properties, and what a delivery says of it."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct, error
from typing import Any, Final, NamedTuple

from celeriac_amqp.tables import TableError, read_table, write_table

#: The class ``basic``, weight 0, and the length of the body: how a content header begins; then flags.
_HEAD: Final = Struct(">HHQ")
_FLAGS: Final = Struct(">H")
_DELIVERY: Final = Struct(">QB")
_BASIC: Final = 60
#: Where the flags are, in the payload of a content header.
_FLAGS_AT: Final = 12

#: Properties that are short strings, with their flags; in order after headers, delivery_mode and priority.
_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS, _DELIVERY_MODE, _PRIORITY = 0x8000, 0x4000, 0x2000, 0x1000, 0x0800
_STRINGS: Final = (
    (0x0400, "correlation_id"),
    (0x0200, "reply_to"),
    (0x0100, "expiration"),
    (0x0080, "message_id"),
)
_TIMESTAMP: Final = 0x0040
_LATER_STRINGS: Final = ((0x0020, "type"), (0x0010, "user_id"), (0x0008, "app_id"), (0x0004, "cluster_id"))
_uint64 = Struct(">Q")


class Envelope(NamedTuple):
    """What ``basic.deliver`` says: to whom, under which tag, whether again, and where the message was sent to."""

    consumer: str
    tag: int
    redelivered: bool
    exchange: str
    routing_key: str


def tag_in(arguments: bytes) -> int:
    """The delivery tag in the payload of a ``basic.deliver``."""
    tag: int = _uint64.unpack_from(arguments, 5 + arguments[4])[0]
    return tag


def consumer_in(arguments: bytes) -> str:
    """The consumer tag in the payload of a ``basic.deliver``."""
    return arguments[5 : 5 + arguments[4]].decode()


def read_envelope(arguments: bytes) -> Envelope:
    """All that the payload of a ``basic.deliver`` says.  Raises `TableError` for one that cannot be read."""
    try:
        return _read_envelope(arguments)
    except (error, IndexError, UnicodeDecodeError) as wrong:
        raise TableError(f"not what a delivery says: {wrong}") from None


def _read_envelope(arguments: bytes) -> Envelope:
    at = 5 + arguments[4]
    consumer = consumer_in(arguments)
    tag, redelivered = _DELIVERY.unpack_from(arguments, at)
    at += 9
    end = at + 1 + arguments[at]
    exchange = arguments[at + 1 : end].decode("utf-8", "surrogatepass")
    routing_key = arguments[end + 1 : end + 1 + arguments[end]].decode("utf-8", "surrogatepass")
    return Envelope(consumer, tag, bool(redelivered & 1), exchange, routing_key)


def body_length(header: bytes) -> int:
    """The length that a content header announces."""
    length: int = _HEAD.unpack_from(header)[2]
    return length


class Content(NamedTuple):
    """The properties of a message, without the three that stand for themselves."""

    content_type: str
    content_encoding: str
    headers: dict[str, Any]
    properties: dict[str, Any]


def read_content(header: bytes) -> Content:
    """What the payload of a content header says.  Raises `TableError` for one that cannot be read."""
    try:
        return _read_content(header)
    except (error, IndexError, UnicodeDecodeError) as wrong:
        raise TableError(f"not the properties of a message: {wrong}") from None


def _read_content(header: bytes) -> Content:
    (flags,) = _FLAGS.unpack_from(header, _FLAGS_AT)
    at = _FLAGS_AT + 2
    content_type = content_encoding = ""
    headers: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    if flags & _CONTENT_TYPE:
        start, at = at + 1, at + 1 + header[at]
        content_type = header[start:at].decode()
    if flags & _CONTENT_ENCODING:
        start, at = at + 1, at + 1 + header[at]
        content_encoding = header[start:at].decode()
    if flags & _HEADERS:
        headers, at = read_table(header, at)
    if flags & _DELIVERY_MODE:
        properties["delivery_mode"] = header[at]
        at += 1
    if flags & _PRIORITY:
        properties["priority"] = header[at]
        at += 1
    for flag, name in _STRINGS:
        if flags & flag:
            start, at = at + 1, at + 1 + header[at]
            properties[name] = header[start:at].decode()
    if flags & (_TIMESTAMP | 0x003C):
        _read_later(header, flags, at, properties)
    return Content(content_type, content_encoding, headers, properties)


def _read_later(header: bytes, flags: int, at: int, properties: dict[str, Any]) -> None:
    if flags & _TIMESTAMP:
        (properties["timestamp"],) = _uint64.unpack_from(header, at)
        at += 8
    for flag, name in _LATER_STRINGS:
        if flags & flag:
            start, at = at + 1, at + 1 + header[at]
            properties[name] = header[start:at].decode()


def write_content(
    length: int,
    content_type: str | None,
    content_encoding: str | None,
    headers: Mapping[str, Any] | None,
    properties: Mapping[str, Any],
) -> bytes:
    """The payload of a content header for a body of `length` bytes.  Properties that AMQP does not know are left out.

    Raises `TableError`, which names what cannot be written.
    """
    flags = 0
    parts = []
    if content_type:
        flags |= _CONTENT_TYPE
        parts.append(_short("content_type", content_type))
    if content_encoding:
        flags |= _CONTENT_ENCODING
        parts.append(_short("content_encoding", content_encoding))
    if headers is not None:
        flags |= _HEADERS
        parts.append(write_table(headers))
    get = properties.get
    for flag, name in ((_DELIVERY_MODE, "delivery_mode"), (_PRIORITY, "priority")):
        if (value := get(name)) is not None:
            flags |= flag
            parts.append(_octet(name, value))
    for flag, name in _STRINGS:
        if (value := get(name)) is not None:
            flags |= flag
            parts.append(_short(name, value))
    if (value := get("timestamp")) is not None:
        flags |= _TIMESTAMP
        parts.append(_uint64.pack(int(value)))
    for flag, name in _LATER_STRINGS:
        if (value := get(name)) is not None:
            flags |= flag
            parts.append(_short(name, value))
    return _HEAD.pack(_BASIC, 0, length) + _FLAGS.pack(flags) + b"".join(parts)


def _octet(name: str, value: Any) -> bytes:
    try:
        return bytes((int(value),))
    except (TypeError, ValueError):
        raise TableError(f"{name} must be a number from 0 to 255, not {value!r}") from None


def _short(name: str, value: Any) -> bytes:
    raw = str(value).encode("utf-8", "surrogatepass")
    if len(raw) > 255:
        raise TableError(f"{name} is longer than the 255 bytes that AMQP allows: {value!r:.60}")
    return bytes((len(raw),)) + raw
