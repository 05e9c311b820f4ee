"""A way to a server that can be cut: what stands between a driver and its server in the tests of lost connections."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

#: Lets a close reset the connection in place of ending it in good order.
_RESET: Final = struct.pack("ii", 1, 0)
_CHUNK: Final = 65536


class Proxy:
    """Passes TCP connections on to a server, and cuts, resets or refuses them when told to."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._sockets: list[socket.socket] = []
        self._answers_to_lose = 0
        #: How many answers were lost.
        self.lost = 0
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = self._start()

    def _start(self) -> threading.Thread:
        accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        accepting.start()
        return accepting

    def cut(self, *, reset: bool = False) -> int:
        """End all connections, in good order or not; gives how many there were."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        count = sum(each.fileno() >= 0 for each in sockets) // 2
        for each in sockets:
            with suppress(OSError):
                if reset:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                each.shutdown(socket.SHUT_RDWR)
        return count

    def lose_answers(self, count: int = 1) -> None:
        """End a connection in place of passing on the server's next answer; so many times."""
        with self._lock:
            self._answers_to_lose = count

    def stall(self) -> None:
        """Pass nothing on, in either direction, until `flow`; the connections stay."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass on what waits, and all that comes."""
        self._flowing.set()

    def refuse(self) -> None:
        """Be away: end all connections, and take no others."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut()

    def resume(self) -> None:
        """Be there again, at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accepting = self._start()

    def close(self) -> None:
        """End everything; harmless when repeated."""
        self.flow()
        self.refuse()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._sockets += [client, server]
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(source, sink, answers), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                self._flowing.wait()
                if not self._passes(data, source, sink, answers):
                    break
        self._end(source, sink)

    def _passes(self, data: bytes, source: socket.socket, sink: socket.socket, answers: bool) -> bool:
        """Pass this on, or do not; False ends the connection."""
        if answers and self._is_to_be_lost():
            return False
        sink.sendall(data)
        return True

    def _end(self, source: socket.socket, sink: socket.socket) -> None:
        """Nothing comes from `source` any more, or nothing of it is to be passed on."""
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()

    def _is_to_be_lost(self) -> bool:
        with self._lock:
            is_lost = self._answers_to_lose > 0
            self._answers_to_lose -= is_lost
            self.lost += is_lost
        return is_lost


def server_of(url: str, default_port: int | None) -> tuple[str, int] | None:
    """Host and port of the server of a URL; None where no single TCP server is named."""
    parts = urlsplit(url)
    try:
        port = parts.port or default_port
    except ValueError:
        return None
    return None if ";" in url or not parts.hostname or not port else (parts.hostname, port)


def through(url: str, default_port: int | None) -> tuple[Proxy, str]:
    """A proxy to the server of a URL and the URL that leads through it.

    Raises `ValueError` where no single TCP server is named.
    """
    server = server_of(url, default_port)
    if server is None:
        raise ValueError("the URL names no single server at the other end of a TCP connection")
    parts, proxy = urlsplit(url), Proxy(*server)
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return proxy, urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{proxy.port}"))
