"""The frames that are made by the batch: messages on their way in, and what is said of those that came out."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from struct import Struct
from typing import Final, NamedTuple

_HEAD: Final = Struct(">BHI")
_SETTLED: Final = Struct(">BHIHHQBB")
_METHOD, _HEADER, _BODY = 1, 2, 3
_END: Final = b"\xce"
_BASIC: Final = 60
#: ``basic.publish``, and the ticket that nobody uses.
_PUBLISH: Final = b"\x00\x3c\x00\x28\x00\x00"
_MANDATORY: Final = b"\x01"
#: What a frame takes besides its payload.
OVERHEAD: Final = 8


class Verb(Enum):
    """What is said of a delivered message; the value is the number of the method, and its flags beside `multiple`."""

    ACK = (80, 0)
    REJECT = (120, 0)
    REQUEUE = (120, 2)


class Frame(NamedTuple):
    """`multiple`: of all messages up to that tag of which nothing was said yet."""

    verb: Verb
    tag: int
    multiple: bool = False


def settling(channel: int, frames: Iterable[Frame]) -> bytes:
    """The bytes of `frames`."""
    pack = _SETTLED.pack
    return b"".join(
        [
            pack(_METHOD, channel, 13, _BASIC, verb.value[0], tag, verb.value[1] | multiple, 0xCE)
            for verb, tag, multiple in frames
        ]
    )


def publish_method(channel: int, exchange: str, routing_key: str, mandatory: bool) -> bytes:
    """The frame that says where a message goes.  Raises ValueError for names longer than 255 bytes."""
    payload = _PUBLISH + _short(exchange) + _short(routing_key) + (_MANDATORY if mandatory else b"\x00")
    return _HEAD.pack(_METHOD, channel, len(payload)) + payload + _END


def content(channel: int, header: bytes, body: bytes, most: int) -> list[bytes]:
    """The frames of a message itself; `most` is the negotiated size of a frame."""
    parts = [_HEAD.pack(_HEADER, channel, len(header)), header, _END]
    room = most - OVERHEAD
    for start in range(0, len(body), room):
        chunk = body[start : start + room] if len(body) > room else body
        parts += (_HEAD.pack(_BODY, channel, len(chunk)), chunk, _END)
    return parts


def _short(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > 255:
        raise ValueError(f"longer than the 255 bytes that AMQP allows: {text!r:.60}")
    return bytes((len(raw),)) + raw
