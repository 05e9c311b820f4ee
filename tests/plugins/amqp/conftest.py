"""What the tests of the RabbitMQ plugin share: queues of their own on the server, lanes, a loop turned by hand."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from amqp.exceptions import NotFound
from kombu import Connection, Exchange, Queue

from celeriac import Celery
from celeriac.contracts import ConsumerLane, OutgoingMessage, ProducerLane, Settlements
from celeriac.testing.conformance import proxy as proxies
from celeriac_amqp.broker import AmqpTransport
from celeriac_amqp.delays import BITS, Delays

# Here and not in the package: it is this that makes the package importable, also for the tests.
sys.path.insert(0, str(Path(__file__).parent))

from nodes.rabbit import MISSING, RabbitNode, server_command
from rabbit.certificates import CLIENT, Certificates, make_certificates  # as above


@pytest.fixture
def url(rabbitmq_url) -> str:
    return rabbitmq_url


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def own_node(tmp_path_factory, certificates) -> Iterator[RabbitNode]:
    """A server that may be told to misbehave, over TCP and, to those with a certificate, over TLS."""
    if server_command() is None:
        pytest.skip(MISSING)
    settings = {
        "ssl_options.cacertfile": certificates.authority,
        "ssl_options.certfile": certificates.server.certificate,
        "ssl_options.keyfile": certificates.server.key,
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "true",
        "ssl_cert_login_from": "common_name",
        **{f"auth_mechanisms.{number}": name for number, name in enumerate(("PLAIN", "AMQPLAIN", "EXTERNAL"), 1)},
    }
    node = RabbitNode(tmp_path_factory.mktemp("node"), settings, plugins="rabbitmq_auth_mechanism_ssl")
    try:
        node.start()
        node.tell(f'rabbit_auth_backend_internal:add_user(<<"{CLIENT}">>, <<"unused">>, <<"test">>)')
        every = ", ".join(['<<".*">>'] * 3)
        node.tell(f'rabbit_auth_backend_internal:set_permissions(<<"{CLIENT}">>, <<"/">>, {every}, <<"test">>)')
        yield node
    finally:
        node.close()


@pytest.fixture
def node(own_node) -> Iterator[RabbitNode]:
    """The same, and well, whatever the test before has left of it."""
    own_node.revive()
    yield own_node
    own_node.calm()


@pytest.fixture
def plain(url) -> Iterator[Any]:
    """A channel of the library's own, to look at the server past the plugin."""
    with Connection(url) as connection:
        yield connection.default_channel


@pytest.fixture
def new_queue(url) -> Iterator[Callable[..., Queue]]:
    """Return ``new_queue(**arguments)``: a queue of the test's own, deleted at the end with its exchange."""
    made: list[Queue] = []

    def make(kind: str = "direct", routing_key: str | None = None, **arguments: Any) -> Queue:
        name = f"celeriac-test-{uuid4().hex}"
        made.append(
            Queue(
                name,
                Exchange(name, type=kind),
                routing_key=name if routing_key is None else routing_key,
                queue_arguments={key.replace("_", "-"): value for key, value in arguments.items()} or None,
            )
        )
        return made[-1]

    yield make
    with Connection(url) as connection:
        for queue in made:
            channel = connection.channel()
            channel.queue_delete(queue.name)
            channel.exchange_delete(queue.name)
            channel.close()


@pytest.fixture
def queue(new_queue) -> Queue:
    return new_queue()


@pytest.fixture
def prefix(url) -> Iterator[str]:
    """Return what is set before the names of the queues in which messages wait, which are deleted at the end."""
    prefix = f"test-{uuid4().hex}"
    yield prefix
    delays = Delays(prefix)
    with Connection(url) as connection:
        channel = connection.channel()
        for name in (*map(delays.level, range(BITS)), delays.delivery):
            channel.queue_delete(name)
            channel.exchange_delete(name)


@pytest.fixture
def connect(url) -> Iterator[Callable[..., Connection]]:
    """Return ``connect(url, **transport_options)``: a new Kombu connection, released at the end.

    `settings` are those of the connection itself.
    """
    opened = []

    def open_connection(
        url: str = url, heartbeat: float = 0, connect_timeout: float = 4, settings: Any = None, **options: Any
    ) -> Connection:
        opened.append(
            Connection(
                url,
                transport=AmqpTransport,
                transport_options=options,
                heartbeat=heartbeat,
                connect_timeout=connect_timeout,
                **settings or {},
            )
        )
        opened[-1].transport_cls = AmqpTransport
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.release()


@pytest.fixture
def produce(connect) -> Iterator[Callable[..., ProducerLane]]:
    """Return ``produce(url, **transport_options)``: a new producer lane."""
    opened = []

    def open_lane(*args: Any, **options: Any) -> ProducerLane:
        opened.append(AmqpTransport.producer_lane(connect(*args, **options)))
        return opened[-1]

    yield open_lane
    for lane in opened:
        lane.close()


@pytest.fixture
def producer(produce) -> ProducerLane:
    return produce()


@pytest.fixture
def consume(connect, loop) -> Iterator[Callable[..., ConsumerLane]]:
    """Return ``consume(*queues, url, prefetch, on_void, app, **transport_options)``: a new lane, open on these queues.

    The settings are those of `app`, if there is one.
    """
    opened = []

    def open_lane(
        *queues: Queue,
        url: str | None = None,
        prefetch: int = 100,
        on_void: Any = None,
        app: Celery | None = None,
        **options: Any,
    ) -> ConsumerLane:
        connection = connect(*([] if url is None else [url]), **options)
        connection.app = app
        lane = AmqpTransport.consumer_lane(connection)
        opened.append(lane)
        if on_void is not None:
            lane.on_void = on_void
        lane.prefetch(prefetch)
        lane.open(queues, loop.hub, loop.on_ready)
        return lane

    yield open_lane
    for lane in opened:
        lane.close()


@pytest.fixture
def claim(loop) -> Callable[..., list[Any]]:
    """Return ``claim(lane, count)``: claims until there are so many."""

    def claim(lane: ConsumerLane, count: int) -> list[Any]:
        found: list[Any] = []

        def enough() -> bool:
            with contextlib.suppress(lane_errors()):
                found.extend(lane.claim(count - len(found)))
            return len(found) >= count

        loop.turn_until(enough)
        return found

    return claim


def lane_errors() -> type[BaseException]:
    from kombu.exceptions import OperationalError

    return OperationalError


@pytest.fixture
def message() -> Callable[..., OutgoingMessage]:
    """Return ``message(number, queue, **what differs)``."""

    def make(number: int | str, queue: Queue | None, /, **given: Any) -> OutgoingMessage:
        values = {
            "body": str(number).encode(),
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "headers": {"id": str(number), "task": "t", "retries": 0},
            "properties": {"correlation_id": str(number), "delivery_mode": 2},
            "exchange": "",
            "routing_key": queue.name if queue is not None else "",
            "queue": queue,
            **given,
        }
        return OutgoingMessage(**values)

    return make


@pytest.fixture
def hold(producer, claim, message) -> Callable[..., list[Any]]:
    """Return ``hold(lane, queue, count)``: claims so many, and lets others pass one by one, as strains a channel."""

    def hold_so_many(lane: ConsumerLane, queue: Queue, count: int, produce: ProducerLane = producer) -> list[Any]:
        produce.publish([message(f"held-{number}", queue) for number in range(count)])
        held = claim(lane, count)
        produce.publish([message(f"passing-{number}", queue) for number in range(64)])
        for _ in range(64):
            lane.settle(Settlements(ack=[each.tag for each in claim(lane, 1)]))
        lane.claim(1)
        return held

    return hold_so_many


@pytest.fixture
def ready(url) -> Callable[[Queue], int | None]:
    """Return ``ready(queue)``: how many messages wait in a queue, None where there is no such queue."""

    def count(queue: Queue | str) -> int | None:
        name = queue if isinstance(queue, str) else queue.name
        with Connection(url) as connection:
            try:
                return connection.default_channel.queue_declare(name, passive=True).message_count
            except NotFound:
                return None

    return count


class Proxy(proxies.Proxy):
    """One that notes what clients say, and can swallow or replace what the server does."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        #: What the server says does not arrive.
        self.swallows_answers = False
        #: What clients have said to the server.
        self.requests = bytearray()
        #: In place of the next answer of the server's.
        self.instead: bytes | None = None

    def _passes(self, data: bytes, source: socket.socket, sink: socket.socket, answers: bool) -> bool:
        if not answers:
            self.requests += data
        elif self.swallows_answers:
            return True
        elif self.instead is not None:
            data, self.instead = self.instead, None
        return super()._passes(data, source, sink, answers)


@pytest.fixture
def proxy(url) -> Iterator[Proxy]:
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5672)
    yield proxy
    proxy.close()


@pytest.fixture
def proxied(proxy, url) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()
