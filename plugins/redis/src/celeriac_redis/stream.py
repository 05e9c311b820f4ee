"""Commands and answers on a connection that redis-py has made: what each message passes through, and no more.

redis-py connects, with TLS, passwords and names; its own writing and reading costs three times as much as this.
"""

# Half of redis-py's connections have no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import _socket  # `socket.socket` is another class where a library of greenlets has replaced it
import socket
import ssl
import struct
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import hiredis
from redis.connection import DefaultParser
from redis.exceptions import ConnectionError as ConnectionLostError
from redis.exceptions import InvalidResponse

from celeriac.contracts.polling import reading
from celeriac_redis.busy_poll import BusyPoll

if TYPE_CHECKING:
    from redis.connection import AbstractConnection

    from celeriac_redis.scripts import Command

#: Bytes that are taken from the socket at once, and that are given to it within one timeout.
_READ: Final = 65_536
_WRITTEN: Final = 1_048_576
#: The kernel counts a timeout in ticks, and may end it a little early.
_ALMOST: Final = 0.9
#: What the reader gives while an answer is not there as a whole.
_NOTHING: Final = object()


class Stream:
    """One open connection, used by one thread at a time.

    Where it is of no more use, every method raises `OSError`, or `ConnectionError` or `InvalidResponse` of redis-py;
    then it is to be closed.
    """

    def __init__(self, connection: AbstractConnection, busy_poll: float = 0.0) -> None:
        """Connect.  Raises `OSError` or any of redis-py's errors, and leaves nothing open then.

        `busy_poll`: for so many seconds `exchange` may look for the answer before it sleeps.
        """
        try:
            connection.connect()
        except BaseException:
            connection.disconnect()
            raise
        self._connection = connection
        # redis-py has no public name for it; Kombu reads it as well.
        self._socket = cast("Any", connection._sock)
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=DefaultParser.parse_error, notEnoughData=_NOTHING
        )
        self._poll = reading(self.fileno())
        self._limit: float | None = self._socket.gettimeout()
        self._is_plain = _has_kernel_timeouts(self._socket)
        self._busy_poll = BusyPoll(self._socket, busy_poll) if self._is_plain and busy_poll > 0 else None

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return int(self._socket.fileno())

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send all commands and take the answers to them, each as `read` gives it."""
        self.write(commands)
        if self._busy_poll is not None and (data := self._busy_poll.look(_READ)) is not None:
            self._take(data)
        return [self.read() for _ in commands]

    def write(self, commands: Sequence[Command]) -> None:
        """Send all commands."""
        data = b"".join(map(hiredis.pack_command, commands))
        give = self._give if self._is_plain else self._socket.sendall
        if len(data) <= _WRITTEN:
            give(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), _WRITTEN):
            give(view[start : start + _WRITTEN])

    def _give(self, data: bytes | memoryview) -> None:
        """As `sendall` with a timeout; that of the kernel begins anew with each part that it takes."""
        monotonic_begun = time.monotonic()
        try:
            sent: int = self._socket.send(data)
            while sent < len(data):
                if self._limit is not None and time.monotonic() - monotonic_begun > self._limit * _ALMOST:
                    raise TimeoutError("timed out")
                sent += self._socket.send(memoryview(data)[sent:])
        except BlockingIOError:
            raise TimeoutError("timed out") from None

    def read(self) -> Any:
        """The next answer, as bytes, whole numbers and lists; an error of the server as an exception of redis-py's."""
        answer = self._reader.gets()
        while answer is _NOTHING:
            self._take(self._receive())
            answer = self._reader.gets()
        if isinstance(answer, ConnectionLostError):  # the server has too many clients, or is loading its data
            raise answer
        return answer

    def waiting(self, timeout: float = 0.0) -> bool:
        """Whether there is something to read within `timeout` seconds."""
        if self._reader.has_data():
            return True
        if not self._poll.poll(timeout * 1000):
            return False
        # Of what makes it readable, the end and the records of TLS that carry no data are no answer.
        limit = self._socket.gettimeout()
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(_READ)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            self._socket.settimeout(limit)
        self._take(data)
        return True

    def disturbed(self) -> bool:
        """Whether there is anything, if only the end, where nothing was asked."""
        return bool(self._poll.poll(0)) or self._reader.has_data()

    def close(self) -> None:
        """Close the connection; raises nothing."""
        self._connection.disconnect()

    def _receive(self) -> bytes:
        try:
            data: bytes = self._socket.recv(_READ)
        except BlockingIOError:
            raise TimeoutError("timed out") from None
        return data

    def _take(self, data: bytes) -> None:
        if not data:
            raise ConnectionLostError("the server has closed the connection")
        self._reader.feed(data)


def _has_kernel_timeouts(sock: Any) -> bool:
    """Have the kernel keep the timeout of `sock` where it can, by `BlockingIOError`, so that Python need not.

    Python asks before each call whether it may be made, which is a system call of its own.
    """
    if sys.platform != "linux" or not isinstance(sock, _socket.socket) or isinstance(sock, ssl.SSLSocket):
        return False
    limit = sock.gettimeout()
    microseconds = 0 if limit is None else max(round(limit * 1e6), 1)  # 0 is for ever
    seconds_and_rest = struct.pack("@ll", *divmod(microseconds, 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, seconds_and_rest)
    sock.settimeout(None)
    return True
