"""What comes from a broker before anything of the kernel sees it: frames, rows and the JSON around a message."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from amqp.transport import TCPTransport

import celeriac_amqp.wire
from celeriac import Celery
from celeriac_amqp.arrivals import Arrival, Source
from celeriac_amqp.content import tag_in, write_content
from celeriac_amqp.frames import content, publish_method
from celeriac_redis import envelope as redis_envelope
from celeriac_redis.chords import Chords
from celeriac_redis.payload import Codec
from celeriac_sqlite import envelope as sqlite_envelope

#: How long a chunk is in which bytes arrive.
_CHUNK = 700
_DELIVER = b"\x00\x3c\x00\x3c\x03tag" + bytes(7) + b"\x01\x00\x00\x01q"


class _Transport(celeriac_amqp.wire._Tcp):
    """Reads what it was given; connects nowhere."""

    def __init__(self, data: bytes) -> None:
        self._chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
        self.connected = True

    def __del__(self) -> None:
        """There is nothing to close."""

    def _receive_now(self) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""


assert issubclass(_Transport, TCPTransport)


def amqp(data: bytes) -> list[Any]:
    """Frames as they come from a server, up to the deliveries that are made of them.  Ends as a lost connection."""
    arrivals: list[Arrival] = []

    def arrived(arguments: bytes, header: bytes, body: bytes) -> None:
        tag_in(arguments)
        arrivals.append(Arrival(arguments, header, body, 0))

    wire: Any = celeriac_amqp.wire.Wire.__new__(celeriac_amqp.wire.Wire)
    wire.takers, wire.blocked, wire.bytes_recv = {1: arrived}, None, 0
    handle = celeriac_amqp.wire._deliveries_first(wire, lambda *_: None)
    transport = _Transport(data)
    sources = {"tag": Source("q", True)}
    wire._transport, wire.on_inbound_frame = transport, handle
    try:
        while transport._chunks:
            transport.fill()
            wire.handle_read(transport, handle)
    finally:
        found = [arrival.delivery(sources) for arrival in arrivals]
    return found


def amqp_properties(data: bytes) -> Any:
    """The properties and headers of one message, which its sender chooses; nothing may be raised for them."""
    header = b"\x00\x3c\x00\x00" + bytes(8) + data
    return Arrival(_DELIVER, header, b"[]", 0).delivery({"tag": Source("q", True)})


@cache
def app() -> Celery:
    made = Celery("fuzz-brokers", broker="memory://", set_as_current=False)
    made.conf.accept_expanded_bytes = 1 << 20
    return made


def redis(data: bytes) -> Any:
    """A message of a list, and one of a note of a claim; nothing may be raised for either."""
    found = redis_envelope.parse_joined([data], b",7,", 1)
    several = redis_envelope.parse_joined([data, b"{}", data], redis_envelope.new_divider(), 3)
    assert several is None if found is None else several is not None and several[1] == {}
    message = redis_envelope.parse_note(b"[%b,null,null]" % data) if found is None else found[0]
    due = redis_envelope.due_of(message)
    assert due is None or math.isfinite(due + 0.5)
    redis_envelope.priority_of(message)
    redis_envelope.sent_of(data)
    try:
        again, _, _ = redis_envelope.redelivered(b'[%b,"e",null]' % data)
    except ValueError:
        pass
    else:
        redis_envelope.written(again)
    return redis_envelope.opened(1, "q", message)


def redis_result(data: bytes) -> Any:
    """A stored result, compressed or not; the body of a chord; a part of one."""
    codec = Codec(app())
    chords = Chords(codec, str)
    chords.found(None, [data])
    return codec.decode(data)


def sqlite(data: bytes) -> Any:
    """The headers and properties of three rows, with a byte of zero between; nothing may be raised for them."""
    texts = [text.decode("utf-8", "replace") for text in data.split(b"\x00")[:4]]
    texts += ["{}"] * (4 - len(texts))
    rows = [
        (number, "q", headers, properties, b"[]", "application/json", "utf-8", "", "q", number)
        for number, (headers, properties) in enumerate([("{}", "{}"), (texts[0], texts[1]), (texts[2], texts[3])])
    ]
    found = sqlite_envelope.opened(rows)
    assert len(found) == 3
    assert found[0].headers == {} == found[0].properties
    assert all(isinstance(part, dict) for one in found for part in (one.headers, one.properties))
    return found


def seeds(headers: bytes, body: bytes, parsed: dict[str, Any]) -> dict[str, tuple[bytes, ...]]:
    """Valid inputs of each."""
    header = write_content(len(body), "application/json", "utf-8", parsed, {"priority": 3, "reply_to": "r"})
    rare = write_content(
        4, None, None, {"n": None, "list": [1, 2**40, -1.5, b"\xff", True, {"deep": [[]]}]}, {"timestamp": 7}
    )
    method = b"\x01\x00\x01" + len(_DELIVER).to_bytes(4, "big") + _DELIVER + b"\xce"
    message = (
        b'{"body":"W10=","content-encoding":"utf-8","content-type":"application/json","headers":%b,"properties":'
        b'{"delivery_info":{"exchange":"","routing_key":"q","redelivered":true,"delivery_count":2},"priority":3,'
        b'"body_encoding":"base64","correlation_id":"1","delivery_tag":"018f0000-0000-7000-8000-000000000000"}}'
        % headers
    )
    meta = b'[1,"id","SUCCESS",{"status":"SUCCESS","result":[1],"task_id":"id"}]'
    return {
        "amqp": (
            method + b"".join(content(1, header, body, 131072)),
            method + b"".join(content(1, rare, b"[[]]", 10)) + publish_method(2, "e", "r", False),
            b"\x08\x00\x00\x00\x00\x00\x00\xce",
        ),
        "amqp-properties": (header[12:], rare[12:], b"\x20\x00\x00\x00\x00\x0b\x01tT" + (2**50).to_bytes(8, "big")),
        "redis": (
            message,
            message.replace(b"3", b"1e999"),
            b'{"headers":{"eta":1e999}}',
            b'{"headers":{"eta":%b}}' % (b"9" * 400),
        ),
        "redis-result": (
            meta,
            b"\x00celery-compressed\x00application/x-gzip\x00" + app().compression.compress(meta, "gzip")[1],
        ),
        "sqlite": (headers + b"\x00{}\x00{}\x00{}", b"{}\x00{}\x00" + headers, b"{},{}\x00{}"),
    }
