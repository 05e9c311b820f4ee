"""As much of HTTP as a health check needs, served by the worker's own loop: if that stands still, nobody answers."""

from __future__ import annotations

import json
import os
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from celeriac.worker.health.address import bound_socket, shown

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop, Timer

#: What a path is answered with: the status, and a map that is sent as JSON.
Answer = tuple[HTTPStatus, dict[str, Any]]

#: Seconds that a client has for its request, and to take the answer.
_PATIENCE: Final = 5.0
#: Clients at once; more wait until the system refuses them.
_CLIENTS: Final = 64
#: Bytes of a request.
_LONGEST: Final = 8192


class HealthServer:
    """Answers GET and HEAD by what `answer` gives for a path; None is an unknown one."""

    def __init__(self, loop: EventLoop, address: str, answer: Callable[[str], Answer | None]) -> None:
        self._loop = loop
        self._address = address
        self._answer = answer
        self._listener: socket.socket | None = None
        self._clients: set[Client] = set()
        ref = weakref.ref(self)
        # A child of the pool must not keep the port of a worker that has died.
        os.register_at_fork(after_in_child=lambda: _close_inherited(ref))

    def start(self) -> None:
        """Listen.  Raises `ImproperlyConfigured` where that cannot be done."""
        if self._listener is None:
            self._listener = bound_socket(self._address)
            self._listener.setblocking(False)
            self._loop.add_reader(self._listener, self._accept)

    @property
    def url(self) -> str:
        """Where it answers; the real port, where the address said 0."""
        return self._address if self._listener is None else shown(self._listener)

    def stop(self) -> None:
        """Answer no more; tolerates never started and twice."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._loop.remove_reader(listener)
            name = listener.getsockname()
            listener.close()
            if isinstance(name, str):
                with suppress(OSError):
                    os.unlink(name)
        for client in list(self._clients):
            client.close()

    def close_inherited(self) -> None:
        """In a forked child: give up the sockets, which the loop of the parent watches."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        for client in self._clients:
            client.connection.close()

    def _accept(self) -> None:
        assert self._listener is not None
        while len(self._clients) < _CLIENTS:
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            connection.setblocking(False)
            self._clients.add(Client(self._loop, connection, self._reply, self._clients.discard))

    def _reply(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0].decode("ascii", "replace")
        if method not in {b"GET", b"HEAD"}:
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "only GET and HEAD are answered"}, True)
        found = self._answer(path) or (HTTPStatus.NOT_FOUND, {"error": "there are /livez, /readyz and /status"})
        return _response(*found, method == b"GET")


class Client:
    """One connection: a request, an answer, the end."""

    def __init__(
        self,
        loop: EventLoop,
        connection: socket.socket,
        reply: Callable[[bytes], bytes],
        on_closed: Callable[[Client], None],
    ) -> None:
        self.connection = connection
        self._loop = loop
        self._reply = reply
        self._on_closed = on_closed
        self._request = b""
        self._left = b""
        self._patience: Timer = loop.call_later(_PATIENCE, self.close)
        loop.add_reader(connection, self._read)

    def _read(self) -> None:
        try:
            data = self.connection.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._request += data
        if not data or len(self._request) > _LONGEST:
            self.close()
        elif b"\r\n\r\n" in self._request or b"\n\n" in self._request:
            self._loop.remove_reader(self.connection)
            self._left = self._reply(self._request)
            self._loop.add_writer(self.connection, self._write)

    def _write(self) -> None:
        try:
            sent = self.connection.send(self._left)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._left = self._left[sent:]
        if not self._left:
            self.close()

    def close(self) -> None:
        """End the connection; tolerates being called twice."""
        if self.connection.fileno() < 0:
            return
        self._patience.cancel()
        self._loop.remove_reader(self.connection)
        self._loop.remove_writer(self.connection)
        self.connection.close()
        self._on_closed(self)


def _response(status: HTTPStatus, found: dict[str, Any], with_body: bool) -> bytes:
    body = json.dumps(found, default=str).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")


def _close_inherited(ref: weakref.ref[HealthServer]) -> None:
    server = ref()
    if server is not None:
        server.close_inherited()
