"""A connection of the client library that reads all that has come at once, and writes many frames at once."""

# The client library, which is extended here, has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import _socket
import contextlib
import socket
import ssl
from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812  # it is a class
from typing import Any, Final

from amqp import spec
from amqp.exceptions import FrameError, UnexpectedFrame
from amqp.method_framing import frame_handler
from amqp.transport import SSLTransport, TCPTransport
from kombu.transport import pyamqp

from celeriac.contracts.polling import Poll, reading
from celeriac_amqp.content import body_length

#: Bytes read in one go.
_CHUNK: Final = 1 << 18
_HEAD: Final = Struct(">BHI")
_CONFIRM: Final = Struct(">QB")
_DELIVER: Final = b"\x00\x3c\x00\x3c"
_ACK: Final = b"\x00\x3c\x00\x50"
#: ``connection.blocked``, of which the client library does not read the reason.
_BLOCKED: Final = b"\x00\x0a\x00\x3c"
_METHOD, _HEADER, _BODY = 1, 2, 3
_END: Final = 0xCE
#: What a frame takes besides its payload.
_AROUND: Final = 8
#: The largest frame until the server has said what it wants, in bytes.
_BEFORE_TUNING: Final = 131_072
#: The largest payload of a content header.  It cannot be split, and RabbitMQ, which adds to the headers of a message
#: that it moves to another queue, sends one that is larger than the negotiated size.
_LARGEST_HEADER: Final = 128 * 1024 * 1024
#: Seconds that a connection which is given up has for its farewell.
_FAREWELL: Final = 3.0

Frame = tuple[int, int, bytes]
#: Called with the payloads of ``basic.deliver`` and of its content header, and the body.
Taker = Callable[[bytes, bytes, bytes], None]
#: Called with the tag of a ``basic.ack`` of the server's, and whether it is for all messages up to that.
Confirmed = Callable[[int, bool], None]


class _Inbox:
    """The part of a transport that reads: mixed into those of the client library."""

    sock: Any
    connected: bool
    #: The negotiated size of a frame, in bytes.
    frame_max = _BEFORE_TUNING
    _data = b""
    _at = 0

    def read_frame(self, unpack: Any = None) -> Frame:
        """The next frame; waits for it as the socket is set to."""
        while (frame := self.next_frame()) is None:
            self._add(self._receive())
        return frame

    def next_frame(self) -> Frame | None:
        """The next frame of what has been read, None where none is whole.

        Raises `UnexpectedFrame` for one that is damaged, `FrameError` for one that is too large, before it is there.
        """
        data, at = self._data, self._at
        if len(data) - at < _AROUND:
            return None
        kind, channel, size = _HEAD.unpack_from(data, at)
        if size > self.frame_max - _AROUND and (kind != _HEADER or size > _LARGEST_HEADER):
            raise FrameError(
                f"FRAME_ERROR - a frame of {size + _AROUND} bytes came, where {self.frame_max} were negotiated",
                reply_code=FrameError.code,
            )
        end = at + 7 + size
        if len(data) <= end:
            return None
        if data[end] != _END:
            raise UnexpectedFrame(f"a frame ends with {data[end]:#04x} in place of 0xce")
        self._at = end + 1
        return kind, channel, data[at + 7 : end]

    def fill(self) -> bool:
        """Read what has come, and do not wait; whether there may be more.  Raises OSError when the peer has gone."""
        try:
            data = self._receive_now()
        except (BlockingIOError, InterruptedError):
            return False
        self._add(data)
        return len(data) >= _CHUNK

    def _add(self, data: bytes) -> None:
        if not data:
            self.connected = False
            raise ConnectionResetError("the server has closed the connection")
        left = self._data[self._at :]
        self._data = left + data if left else data
        self._at = 0

    def _receive(self) -> bytes:
        data: bytes = self.sock.recv(_CHUNK)
        return data

    def _receive_now(self) -> bytes:
        data: bytes
        if isinstance(self.sock, _socket.socket):
            data = self.sock.recv(_CHUNK, socket.MSG_DONTWAIT)
            return data
        # Of a library of greenlets, which waits whatever the flags say; to tell it otherwise is no system call there.
        before = self.sock.gettimeout()
        self.sock.settimeout(0.0)
        try:
            data = self.sock.recv(_CHUNK)
        finally:
            self.sock.settimeout(before)
        return data


class _Tcp(_Inbox, TCPTransport):  # type: ignore[misc]  # the library has no annotations
    """Over TCP."""


class _Tls(_Inbox, SSLTransport):  # type: ignore[misc]  # as above
    """Over TLS, where what the socket has may be less than what has come."""

    def _receive(self) -> bytes:
        try:
            return super()._receive()
        except ssl.SSLError as error:
            if "timed out" in str(error):
                raise TimeoutError(str(error)) from error
            raise

    def _receive_now(self) -> bytes:
        before = self.sock.gettimeout()
        self.sock.settimeout(0.0)
        parts = []
        try:
            while True:
                data = self.sock.recv(_CHUNK)
                parts.append(data)
                if not data:
                    break
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError) as nothing:
            if not parts:
                raise BlockingIOError from nothing
        finally:
            self.sock.settimeout(before)
        return b"".join(parts)


def _deliveries_first(connection: Wire, callback: Callable[..., Any]) -> Callable[[Frame], bool]:
    """How frames are handled: deliveries and confirms go to who takes them, all else to the client library."""
    others = frame_handler(connection, callback)
    takers, confirmed = connection.takers, connection.confirmed
    #: By channel, the delivery that is not whole yet: its arguments, header, the parts of its body, what is missing.
    partial: dict[int, list[Any]] = {}

    def handle(frame: Frame) -> bool:
        kind, channel, payload = frame
        taker = takers.get(channel)
        if taker is None or kind > _BODY:
            if kind == _METHOD and payload[:4] == _ACK and channel in confirmed:
                connection.bytes_recv += 1
                tag, multiple = _CONFIRM.unpack_from(payload, 4)
                confirmed[channel](tag, bool(multiple & 1))
                return True
            if channel == 0 and payload[:4] == _BLOCKED:
                connection.blocked = payload[5 : 5 + payload[4]].decode(errors="replace")
            return bool(others(frame))
        if kind == _METHOD:
            if payload[:4] != _DELIVER:
                return bool(others(frame))
            connection.bytes_recv += 1
            partial[channel] = [payload, b"", [], 0]
            return False
        found = partial.get(channel)
        if found is None:
            return bool(others(frame))
        connection.bytes_recv += 1
        if kind == _HEADER:
            found[1], found[3] = payload, body_length(payload)
        else:
            found[2].append(payload)
            found[3] -= len(payload)
        if found[3] > 0:
            return False
        del partial[channel]
        parts = found[2]
        taker(found[0], found[1], parts[0] if len(parts) == 1 else b"".join(parts))
        return True

    return handle


class Wire(pyamqp.Connection):
    """One connection to the server, and what is done with it by the batch."""

    def __init__(self, *args: Any, **options: Any) -> None:
        #: By channel, who takes the deliveries as they are.
        self.takers: dict[int, Taker] = {}
        #: By channel, who hears what the server has taken.
        self.confirmed: dict[int, Confirmed] = {}
        #: Why the server takes no messages, while it does not.
        self.blocked: str | None = None
        self._poll: Poll | None = None
        super().__init__(*args, **{**options, "frame_handler": _deliveries_first})
        self.on_unblocked = self._unblocked

    def Transport(  # the library calls it so
        self, host: str, connect_timeout: float | None, ssl: Any = False, *timeouts: Any, **options: Any
    ) -> Any:
        names = ("read_timeout", "write_timeout")
        return (_Tls if ssl else _Tcp)(
            host, connect_timeout=connect_timeout, ssl=ssl, **dict(zip(names, timeouts, strict=False)), **options
        )

    def _on_tune(self, *args: Any, **kwargs: Any) -> None:
        super()._on_tune(*args, **kwargs)
        self.transport.frame_max = self.frame_max

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Wait for a frame, and handle it."""
        try:
            return super().blocking_read(timeout)
        except FrameError as error:
            self._refuse(error)
            raise

    def _refuse(self, error: FrameError) -> None:
        """Tell the server why the connection ends; its answer cannot be read."""
        with contextlib.suppress(Exception):  # it may be gone
            self.send_method(spec.Connection.Close, "BsBB", (error.code, error.message[:200], 0, 0))

    def _unblocked(self) -> None:
        self.blocked = None

    def take(self) -> None:
        """Handle every frame that has come; does not wait.  Raises what a closed connection or channel raises."""
        transport, handle = self.transport, self.on_inbound_frame
        more = True
        while more:
            more = transport.fill()
            self.handle_read(transport, handle)

    def take_within(self, timeout: float) -> None:
        """Wait until anything has come, and handle it.

        Raises `TimeoutError` after `timeout` seconds, and what a closed connection or channel raises.
        """
        if self._poll is None:
            self._poll = reading(self.sock.fileno())
        if not self._poll.poll(timeout * 1000):
            raise TimeoutError
        self.take()

    def handle_read(self, transport: Any = None, handle: Any = None) -> None:
        """Handle what was read already: a question's answer may have come with more behind it."""
        transport, handle = transport or self.transport, handle or self.on_inbound_frame
        try:
            while (frame := transport.next_frame()) is not None:
                handle(frame)
        except FrameError as error:
            self._refuse(error)
            raise
        except (StructError, LookupError, ValueError) as error:  # the library's own, too
            raise UnexpectedFrame(f"a frame that cannot be read: {error!r}") from error

    def say(self, data: bytes) -> None:
        """Write frames, in one go."""
        self.transport.write(data)
        self.bytes_sent += 1

    def part(self) -> None:
        """Take leave of the server, which has a few seconds to answer."""
        with contextlib.suppress(Exception):  # it may be gone, and is of no more use either way
            self.sock.settimeout(_FAREWELL)
            self.close()
        self.drop()

    def drop(self) -> None:
        """Close the socket, without a word."""
        with contextlib.suppress(Exception):  # as above
            self.collect()
