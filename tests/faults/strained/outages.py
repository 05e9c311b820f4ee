"""Brokers and result stores of a test's own, which it may stop and start again without losing what they hold."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest
from nodes.ports import free_port


class Server(Protocol):
    """What holds messages or results."""

    url: str

    def stop(self) -> None:
        """Nobody reaches it from now on."""

    def start(self) -> None:
        """It is back, with all that it held."""


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
