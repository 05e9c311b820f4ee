"""The broker driver: Kombu's transport for Redis with our way to the server, and our lanes."""

# Kombu's Redis transport, which is extended here, has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from kombu.exceptions import OperationalError
from kombu.transport import redis as kombu_redis
from redis import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as ConnectionLostError
from redis.exceptions import MovedError, RedisError

from celeriac.contracts import BROKER_API, ConsumerLane, ProducerLane, QueueFigures
from celeriac_redis.consumer import RedisConsumerLane
from celeriac_redis.figures import figures_at
from celeriac_redis.keys import Keys
from celeriac_redis.link import Link
from celeriac_redis.options import BrokerOptions, LinkOptions, broker_options, link_options
from celeriac_redis.producer import RedisProducerLane
from celeriac_redis.servers import Servers, servers_of

if TYPE_CHECKING:
    from celeriac_redis.address import Address


class RedisChannel(kombu_redis.Channel):
    """Kombu's channel, connecting where the URL says and as it says: with certificates checked, for one."""

    @property
    def global_keyprefix(self) -> str:
        """What all keys begin with; in a cluster, with its tag."""
        return self._servers.prefix

    @global_keyprefix.setter
    def global_keyprefix(self, prefix: str) -> None:
        """Kombu's own reading of the option, which is read in `_servers`."""

    @cached_property
    def _servers(self) -> Servers:
        return servers_for(self.connection.client)

    def _has_queue(self, queue: str, **_: Any) -> bool:
        # Kombu asks whether the lists exist, by their names without the prefix.
        return bool(self._size(queue))

    def queue_delete(self, queue: str, if_unused: bool = False, if_empty: bool = False, **kwargs: Any) -> None:
        """Delete a queue with its messages; Kombu leaves them where it has not declared the queue itself."""
        super().queue_delete(queue, if_unused=if_unused, if_empty=if_empty, **kwargs)
        if not (if_empty and self._size(queue)):
            # Not by the own client of the channel, which may wait for messages: it would mix up the two answers.
            with self.conn_or_acquire() as client:
                client.delete(*(self._q_for_pri(queue, step) for step in self.priority_steps))

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        params: dict[str, Any] = super()._connparams(asynchronous=asynchronous)
        address = self._servers.address
        for name in ("host", "port", "path", "username", "password"):
            params.pop(name, None)
        if params.get("credential_provider") is None:
            params.update(username=address.username, password=address.password)
        params["db"] = address.db
        params["connection_class"] = self._finding(address, asynchronous)
        if address.path is not None:
            params["path"] = address.path
            for name in ("socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"):
                params.pop(name, None)
        else:
            params.update(host=address.host, port=address.port, **address.tls or {})
        return params

    def _finding(self, address: Address, asynchronous: bool) -> type[Any]:
        """A class of connections that ask where to connect each time, and report that to Kombu's loop."""
        kind: type[Any] = Connection
        if address.path is not None:
            kind = UnixDomainSocketConnection
        elif address.tls is not None:
            kind = SSLConnection
        channel, servers = self, self._servers

        def connect(connection: Any) -> None:
            found = servers.locate()
            connection.host, connection.port, connection.path = found.host, found.port, found.path
            try:
                kind.connect(connection)
            except (RedisError, OSError):
                servers.failed(found)
                raise

        def read_response(connection: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return kind.read_response(connection, *args, **kwargs)
            except MovedError as error:
                servers.moved(error.host, error.port)
                connection.disconnect()
                raise ConnectionLostError(f"the keys have gone to {error.host}:{error.port}") from error

        def disconnect(connection: Any, *args: Any, **kwargs: Any) -> None:
            kind.disconnect(connection, *args, **kwargs)
            if channel._registered:  # Kombu takes it out of what it waits for
                channel._on_connection_disconnect(connection)

        own: dict[str, Any] = {"connect": connect, "read_response": read_response}
        if asynchronous:
            own["disconnect"] = disconnect
        return type(kind.__name__, (kind,), own)


class RedisTransport(kombu_redis.Transport):
    """Kombu's Redis transport; the lanes have connections of their own."""

    api_version: ClassVar[int] = BROKER_API
    publishes_once: ClassVar[bool] = True
    Channel = RedisChannel
    # Kombu would take the URL apart and forget its scheme, and with it whether there is to be TLS.
    can_parse_url = True

    @classmethod
    def producer_lane(cls, connection: Any) -> ProducerLane:
        """A lane to the server that the Kombu connection names."""
        servers = servers_for(connection)
        options = _options(connection, servers)
        link = Link(servers, _link_options(connection), OperationalError, busy_poll=options.busy_poll)
        return RedisProducerLane(link, options)

    @classmethod
    def consumer_lane(cls, connection: Any) -> ConsumerLane:
        """A lane from the server that the Kombu connection names."""
        servers = servers_for(connection)
        return RedisConsumerLane(servers, _link_options(connection), _options(connection, servers))

    @classmethod
    def queue_figures(cls, connection: Any, queues: Collection[str]) -> dict[str, QueueFigures]:
        """What waits in the queues of the server that the Kombu connection names."""
        servers = servers_for(connection)
        with closing(Link(servers, _link_options(connection), OperationalError)) as link:
            return figures_at(link, Keys(_options(connection, servers)), queues)


def servers_for(connection: Any) -> Servers:
    """Where a Kombu connection leads."""
    given = {
        "port": connection.port,
        "username": connection.userid,
        "password": connection.password,
    }
    virtual_host = str(connection.virtual_host or "").strip("/")
    if virtual_host.isdecimal():
        given["db"] = int(virtual_host)
    hostname = connection.hostname or "127.0.0.1"
    if connection.uri_prefix:  # Kombu has taken it off
        hostname = f"{connection.uri_prefix}+{hostname}"
    options = connection.transport_options
    prefix = options.get("global_keyprefix") or ""
    urls = connection.alt or [hostname]
    return servers_of(urls, _link_options(connection), options, prefix, connection.ssl, **given)


def _options(connection: Any, servers: Servers) -> BrokerOptions:
    given = {**connection.transport_options, "global_keyprefix": servers.prefix}
    return broker_options(given, getattr(connection, "app", None))


def _link_options(connection: Any) -> LinkOptions:
    found = link_options(connection.transport_options)
    if connection.credential_provider is not None and found.credential_provider is None:
        found = replace(found, credential_provider=connection.credential_provider)
    if "socket_connect_timeout" not in connection.transport_options and connection.connect_timeout:
        found = replace(found, socket_connect_timeout=connection.connect_timeout)
    return found
