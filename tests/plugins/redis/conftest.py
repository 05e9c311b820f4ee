"""What the tests of the Redis plugin share: queues of their own on the server, lanes, a loop turned by hand."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from kombu import Connection
from nodes.ports import free_port
from redis import Redis

from celeriac.testing.conformance import proxy as proxies
from celeriac_redis.broker import RedisTransport

DATABASE = 15


@pytest.fixture
def url(redis_url) -> str:
    return f"{redis_url.rsplit('/', 1)[0]}/{DATABASE}"


@pytest.fixture
def prefix() -> str:
    """A prefix for all keys of a test: nothing in it is shared, so that tests run side by side."""
    return f"test-{uuid4().hex}:"


@pytest.fixture
def server(url, prefix) -> Iterator[Redis]:
    """A client of the library's own, to look at keys past the plugin; what the test leaves is deleted."""
    client = Redis.from_url(url)
    yield client
    keys = list(client.scan_iter(f"{prefix}*", count=1000))
    if keys:
        client.delete(*keys)
    client.close()


@pytest.fixture
def connect(url, prefix, server) -> Iterator[Callable[..., Connection]]:
    """Return ``connect(**transport_options)``: a new Kombu connection, released at the end."""
    opened = []

    def open_connection(url: str = url, **options: Any) -> Connection:
        options.setdefault("global_keyprefix", prefix)
        opened.append(Connection(url, transport=RedisTransport, transport_options=options))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.release()


@pytest.fixture
def transport() -> type[RedisTransport]:
    return RedisTransport


@pytest.fixture
def app(url, prefix, server) -> Any:
    """Return an app whose broker and result store are the server, under the prefix of the test."""
    from celeriac import Celery

    app = Celery("proj", set_as_current=False, broker=url, result_backend=url)
    app.conf.broker_transport_options = {"global_keyprefix": prefix}
    app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
    yield app
    app.close()


class Proxy(proxies.Proxy):
    """One that can also have a command arrive late, or lose the answer to a certain one."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._late: bytes | None = None
        #: The answer to the next command that holds this is lost.
        self.to_lose_after: bytes | None = None
        self._withheld: list[tuple[socket.socket, bytes]] = []
        self._answered = threading.Event()

    def withhold(self, marker: bytes) -> None:
        """Keep the next command that holds `marker` from the server, and end the client's connection in its place."""
        self._late = marker

    @property
    def withholds(self) -> bool:
        """Whether a command has been kept back."""
        return bool(self._withheld)

    def deliver(self) -> None:
        """Have what was withheld arrive at the server, and be carried out."""
        ((server, command),) = self._withheld
        self._answered.clear()
        server.sendall(command)
        assert self._answered.wait(30), "the server does not answer what came late"
        self._withheld.clear()

    def _passes(self, data: bytes, source: socket.socket, sink: socket.socket, answers: bool) -> bool:
        if answers and self._is_withheld_from(source):
            self._answered.set()
            return False
        if not answers and self._late is not None and self._late in data:
            self._late = None
            self._withheld.append((sink, data))
            return False
        if not answers and self.to_lose_after is not None and self.to_lose_after in data:
            self.to_lose_after = None
            self.lose_answers()
        return super()._passes(data, source, sink, answers)

    def _end(self, source: socket.socket, sink: socket.socket) -> None:
        if self._is_withheld_from(sink):
            source.shutdown(socket.SHUT_RDWR)
            source.close()  # and the connection to the server stays
        else:
            super()._end(source, sink)

    def _is_withheld_from(self, end: socket.socket) -> bool:
        return any(end is server for server, _ in self._withheld)


@pytest.fixture
def proxy(url) -> Iterator[Proxy]:
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 6379)
    yield proxy
    proxy.close()


@dataclass
class OwnServer:
    """A Redis server that the test started and may stop."""

    spawn: Callable[..., Any]
    directory: Path
    arguments: list[str]
    port: int
    program: str = "redis-server"
    process: Any = None

    def start(self) -> None:
        self.process = self.spawn(
            self.program,
            *("--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", self.directory),
            *("--unixsocket", self.socket_path, *self.arguments),
        )
        self.process.wait_for_output("Ready to accept connections")

    def stop(self) -> None:
        self.process.kill()

    @property
    def socket_path(self) -> Path:
        return self.directory / "redis.sock"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@pytest.fixture
def own_server(spawn, tmp_path, redis_url) -> Callable[..., OwnServer]:
    """Return ``own_server(*arguments)``: a server of the test's own on a free port, running."""

    def start(*arguments: str, tls: bool = False, program: str = "redis-server") -> OwnServer:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} on the PATH; install it")
        port = free_port()
        ports = ["--port", "0", "--tls-port", str(port)] if tls else ["--port", str(port)]
        server = OwnServer(spawn, tmp_path, [*ports, *arguments], port, program)
        server.start()
        return server

    return start


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost, which nobody else has signed, and its key."""
    if subprocess.run(["openssl", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs openssl on the PATH")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem"
    subprocess.run(
        [*command.split(), "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    return tmp_path / "cert.pem", tmp_path / "key.pem"
