"""What the tests of the in-memory broker share: an address of their own, lanes, a loop that is turned by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from kombu import Connection, Queue

from celeriac.contracts import ConsumerLane, OutgoingMessage
from celeriac_memory.broker import Transport


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}"


@pytest.fixture
def connect(url) -> Iterator[Callable[[], Connection]]:
    opened = []

    def open_connection(url: str = url) -> Connection:
        opened.append(Connection(url, transport=Transport))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.release()


@pytest.fixture
def transport() -> type[Transport]:
    return Transport


@pytest.fixture
def consumer(connect, loop) -> Iterator[Callable[..., ConsumerLane]]:
    """Return ``consumer(*queues, loop=..., on_ready=...)``: an open lane; queues are names or Kombu queues."""
    lanes = []

    def open_lane(*queues: str | Queue, on_ready: Callable[[], None] = loop.on_ready) -> ConsumerLane:
        lane = Transport.consumer_lane(connect())
        lanes.append(lane)
        named = [Queue(queue) if isinstance(queue, str) else queue for queue in queues or ("tasks",)]
        lane.open(named, loop.hub, on_ready)
        return lane

    yield open_lane
    for lane in lanes:
        lane.close()


@pytest.fixture(scope="session")
def message() -> Callable[..., OutgoingMessage]:
    """Return ``message(body, queue="tasks", ...)``."""

    def make(
        body: bytes | str,
        queue: str = "tasks",
        *,
        priority: int | None = None,
        eta: float | None = None,
        exchange: str = "",
        declare: Queue | None = None,
        headers: dict[str, Any] | None = None,
    ) -> OutgoingMessage:
        properties: dict[str, Any] = {"correlation_id": "c", "delivery_mode": 2}
        if priority is not None:
            properties["priority"] = priority
        body = body.encode() if isinstance(body, str) else body
        return OutgoingMessage(
            body,
            "application/json",
            "utf-8",
            headers if headers is not None else {"task": "t"},
            properties,
            exchange,
            queue,
            declare,
            eta,
        )

    return make
