"""The barest AMQP client: one blocking socket, and of the protocol what `limits.py` needs."""

from __future__ import annotations

import socket
import struct
from urllib.parse import urlsplit

_FRAME = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY = 1, 2, 3
_CHANNEL = 1


def short(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def frame(kind: int, payload: bytes, channel: int = _CHANNEL) -> bytes:
    return _FRAME.pack(kind, channel, len(payload)) + payload + b"\xce"


def method(family: int, number: int, arguments: bytes = b"", channel: int = _CHANNEL) -> bytes:
    return frame(_METHOD, struct.pack(">HH", family, number) + arguments, channel)


def message(queue: str, body: bytes, *, persistent: bool) -> bytes:
    """All frames of a message to a queue, with its delivery mode as the only property."""
    header = struct.pack(">HHQHB", 60, 0, len(body), 0x1000, 2 if persistent else 1)
    return method(60, 40, b"\0\0" + short("") + short(queue) + b"\0") + frame(_HEADER, header) + frame(_BODY, body)


class Bare:
    """A connection with one channel."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._data = b""
        self.socket.sendall(b"AMQP\0\0\x09\x01")
        self.expect(10, 10)
        login = b"\0%b\0%b" % ((parts.username or "guest").encode(), (parts.password or "guest").encode())
        self.say(method(10, 11, long(b"") + short("PLAIN") + long(login) + short("en_US"), 0))
        tune = self.expect(10, 30)
        self.say(method(10, 31, tune[:6] + b"\0\0", 0) + method(10, 40, short(parts.path[1:] or "/") + b"\0\0", 0))
        self.expect(10, 41)
        self.ask(method(20, 10, short("")), 20, 11)

    def say(self, frames: bytes) -> None:
        self.socket.sendall(frames)

    def ask(self, frames: bytes, family: int, number: int) -> bytes:
        self.say(frames)
        return self.expect(family, number)

    def queue(self, name: str) -> None:
        """Declare a durable queue."""
        self.ask(method(50, 10, b"\0\0" + short(name) + b"\x02" + long(b"")), 50, 11)

    def confirm(self) -> None:
        """Have the server confirm what is published."""
        self.ask(method(85, 10, b"\0"), 85, 11)

    def consume(self, name: str) -> None:
        self.ask(method(60, 20, b"\0\0" + short(name) + short(name) + b"\0" + long(b"")), 60, 21)

    def expect(self, family: int, number: int) -> bytes:
        """The arguments of the next such method; others, and contents, are passed over."""
        wanted = struct.pack(">HH", family, number)
        while True:
            kind, payload = self.read()
            if kind == _METHOD and payload[:4] == wanted:
                return payload[4:]
            if kind == _METHOD and payload[:4] in {b"\0\x0a\0\x32", b"\0\x14\0\x28"}:
                raise OSError(f"the server ends it: {payload[6:]!r}")

    def delivery(self) -> tuple[int, bytes]:
        """Tag and body of the next message."""
        arguments = self.expect(60, 60)
        at = 1 + arguments[0]
        (tag,) = struct.unpack_from(">Q", arguments, at)
        _, header = self.read()
        (left,) = struct.unpack_from(">Q", header, 4)
        body = b""
        while len(body) < left:
            body += self.read()[1]
        return tag, body

    def ack(self, tag: int) -> bytes:
        """The frame that settles a message."""
        return method(60, 80, struct.pack(">QB", tag, 0))

    def read(self) -> tuple[int, bytes]:
        """Kind and payload of the next frame."""
        while True:
            if len(self._data) >= 7:
                kind, _, size = _FRAME.unpack_from(self._data)
                if len(self._data) >= size + 8:
                    payload, self._data = self._data[7 : size + 7], self._data[size + 8 :]
                    return kind, payload
            data = self.socket.recv(1 << 18)
            if not data:
                raise OSError("the server has closed the connection")
            self._data += data
