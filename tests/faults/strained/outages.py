"""Brokers and result stores of a test's own, which it may stop and start again without losing what they hold."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

#: Debian's `rabbitmq-server` on the PATH changes to a user of its own, which a test's directory is not open to.
_RABBITMQ_SERVERS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server", "rabbitmq-server")


class Server(Protocol):
    """What holds messages or results."""

    url: str

    def stop(self) -> None:
        """Nobody reaches it from now on."""

    def start(self) -> None:
        """It is back, with all that it held."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


class SqliteFile:
    """A file that somebody else keeps locked while it is stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self._lock: sqlite3.Connection | None = None

    def stop(self) -> None:
        lock = sqlite3.connect(self.path, isolation_level=None, timeout=20)
        # Ours waits with long pauses, those under load with short ones.
        deadline = time.monotonic() + 20
        while True:
            try:
                lock.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
            else:
                break
        self._lock = lock

    def start(self) -> None:
        if self._lock is not None:
            self._lock.rollback()
            self._lock.close()
            self._lock = None

    def count(self, table: str) -> int:
        with closing(sqlite3.connect(self.path)) as file:
            found: int = file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            return found


class RedisServer:
    """A server that writes down each command before it answers."""

    def __init__(self, spawn: Callable[..., Any], directory: Path) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("needs redis-server on the PATH; install Redis")
        self._spawn = spawn
        self._directory = directory
        directory.mkdir()
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        self._process = self._spawn(
            "redis-server",
            *("--bind", "127.0.0.1", "--port", str(self._port), "--dir", self._directory),
            *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
        )
        self._process.wait_for_output("Ready to accept connections")

    def stop(self) -> None:
        self._process.kill()


class RabbitNode:
    """A node of its own, with a port mapper of its own: nothing of the machine's RabbitMQ is touched."""

    def __init__(self, spawn: Callable[..., Any], directory: Path) -> None:
        found = [path for name in _RABBITMQ_SERVERS if (path := shutil.which(name))]
        if not found or shutil.which("epmd") is None:
            pytest.skip("needs rabbitmq-server and Erlang's epmd; install RabbitMQ")
        self._spawn = spawn
        self._command = found[0]
        directory.mkdir()
        port, distribution, mapper = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        (directory / "node.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        self._environment = {
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(directory / "node"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_NODENAME": f"faults{port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -start_epmd false",
        }
        spawn("epmd", "-port", str(mapper), "-address", "127.0.0.1")
        self.start()

    def start(self) -> None:
        self._process = self._spawn(self._command, env=self._environment)
        self._process.wait_for_output("Server startup complete", timeout=50)

    def stop(self) -> None:
        # Told to, not killed: what a publisher has not been told of is nobody's promise.
        self._process.signal(15)
        self._process.wait()
        self._process.kill()
