"""Where messages and results of a test are kept: one place per kind of broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu import Connection
from nodes.rabbit import RabbitNode

from strained.outages import RedisServer, Server, SqliteFile

#: Serves what has no lanes of its own.
KOMBUS = "kombu.transport.pyamqp:Transport"


@dataclass
class Place:
    """A broker and a result store, apart from each other."""

    broker: Server
    store: Server
    #: How many messages are left, of whatever kind, by where they are.
    leftovers: Callable[[], dict[str, int]]
    settings: dict[str, Any] = field(default_factory=dict)
    release: Callable[[], None] = lambda: None
    #: How many messages wait in the broker and are with no worker.
    waiting: Callable[[], int] = lambda: 0

    def __post_init__(self) -> None:
        self.settings = {"broker_url": self.broker.url, "result_backend": self.store.url, **self.settings}


def sqlite_place(directory: Path) -> Place:
    """Two files."""
    broker = SqliteFile(directory / "broker.db")

    def leftovers() -> dict[str, int]:
        return {table: broker.count(table) for table in ("message", "ready", "delayed", "claim", "owner")}

    return Place(broker, SqliteFile(directory / "store.db"), leftovers, waiting=lambda: broker.count("ready"))


def redis_place(spawn: Callable[..., Any], directory: Path) -> Place:
    """Two servers."""
    from redis import Redis

    broker = RedisServer(spawn, directory / "broker")

    def leftovers() -> dict[str, int]:
        with Redis.from_url(broker.url) as server:
            return {
                "celery": server.llen("celery"),
                "unacked": server.hlen("unacked"),
                "celeriac.eta": server.zcard("celeriac.eta"),
                "begun": sum(server.scard(key) for key in server.scan_iter("celeriac.begun.*")),
            }

    # What a killed worker has claimed comes back when its lease has run out.
    settings = {"redis_lease": 2.0}
    store = RedisServer(spawn, directory / "store")
    return Place(broker, store, leftovers, settings, waiting=lambda: leftovers()["celery"])


@dataclass
class SharedNode:
    """The machine's RabbitMQ, which nobody stops."""

    url: str

    def stop(self) -> None:
        raise AssertionError("this node is not the test's own")

    start = stop


def rabbitmq_place(node: RabbitNode | SharedNode, spawn: Callable[..., Any], directory: Path, **settings: Any) -> Place:
    """A queue of its own on a node, through celeriac-amqp as it comes; results are on a Redis server."""
    queue = f"faults-{uuid4().hex}"

    def leftovers() -> dict[str, int]:
        with Connection(node.url) as connection:
            return {"ready": connection.default_channel.queue_declare(queue, passive=True).message_count}

    def release() -> None:
        if isinstance(node, SharedNode):
            with Connection(node.url) as connection:
                connection.default_channel.queue_delete(queue)
        else:
            node.close()

    settings["task_default_queue"] = queue
    store = RedisServer(spawn, directory / "store")
    waiting = lambda: leftovers()["ready"]  # noqa: E731  # as for the others
    return Place(node, store, leftovers, settings, release=release, waiting=waiting)
