"""What the tests of the SQLite plugin share: a file of their own, lanes, a loop turned by hand, other processes."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection

from celeriac_sqlite.broker import SqliteTransport
from celeriac_sqlite.place import url_of

PARTY = Path(__file__).with_name("party.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def url(path: Path) -> str:
    return url_of(path)


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., Connection]]:
    """Return ``connect(**transport_options)``: a new Kombu connection to the file, released at the end."""
    opened = []

    def open_connection(**options: Any) -> Connection:
        opened.append(Connection(url, transport=SqliteTransport, transport_options=options))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.release()


@pytest.fixture
def transport() -> type[SqliteTransport]:
    return SqliteTransport


@pytest.fixture
def party(spawn, url) -> Callable[..., Any]:
    """Return ``party(role, *arguments)``: another process that plays a part of party.py on the same file."""
    return lambda role, *arguments: spawn(sys.executable, PARTY, role, url, *map(str, arguments))


@pytest.fixture
def app() -> Any:
    """Return what a backend asks of an app: settings and serializers."""
    from celeriac import Celery

    return Celery("proj", set_as_current=False, broker="memory://", result_backend="disabled")


@pytest.fixture
def query(path: Path) -> Callable[..., list[Any]]:
    """Return ``query(sql, *parameters)``: rows of the file, read past the plugin."""

    def run(sql: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
            return connection.execute(sql, parameters).fetchall()

    return run


@pytest.fixture
def tables(query) -> Callable[[], SimpleNamespace]:
    """Return ``tables()``: how many rows the tables of messages have."""

    def count() -> SimpleNamespace:
        names = ("message", "ready", "delayed", "claim", "owner")
        return SimpleNamespace(**{name: query(f"SELECT count(*) FROM {name}")[0][0] for name in names})

    return count
