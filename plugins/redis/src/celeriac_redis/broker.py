"""The broker driver: Kombu's transport for Redis with our way to the server, and our lanes."""

# Kombu's Redis transport, which is extended here, has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from kombu.exceptions import OperationalError
from kombu.transport import redis as kombu_redis
from redis import Connection, SSLConnection, UnixDomainSocketConnection

from celeriac.contracts import BROKER_API, ConsumerLane, ProducerLane
from celeriac_redis.address import Address, parse
from celeriac_redis.consumer import RedisConsumerLane
from celeriac_redis.link import Link
from celeriac_redis.options import LinkOptions, broker_options, link_options
from celeriac_redis.producer import RedisProducerLane


class RedisChannel(kombu_redis.Channel):
    """Kombu's channel, connecting where the URL says and as it says: with certificates checked, for one."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        params: dict[str, Any] = super()._connparams(asynchronous=asynchronous)
        address = addresses_of(self.connection.client)[0]
        for name in ("host", "port", "path", "username", "password"):
            params.pop(name, None)
        if params.get("credential_provider") is None:
            params.update(username=address.username, password=address.password)
        params["db"] = address.db
        params["connection_class"] = self._reporting(address, asynchronous)
        if address.path is not None:
            params["path"] = address.path
            for name in ("socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"):
                params.pop(name, None)
        else:
            params.update(host=address.host, port=address.port, **address.tls or {})
        return params

    def _reporting(self, address: Address, asynchronous: bool) -> type[Any]:
        kind: type[Any] = Connection
        if address.path is not None:
            kind = UnixDomainSocketConnection
        elif address.tls is not None:
            kind = SSLConnection
        if not asynchronous:
            return kind
        channel = self

        def disconnect(connection: Any, *args: Any, **kwargs: Any) -> None:
            kind.disconnect(connection, *args, **kwargs)
            if channel._registered:  # Kombu takes it out of what it waits for
                channel._on_connection_disconnect(connection)

        return type(kind.__name__, (kind,), {"disconnect": disconnect})


class RedisTransport(kombu_redis.Transport):
    """Kombu's Redis transport; the lanes have connections of their own."""

    api_version: ClassVar[int] = BROKER_API
    Channel = RedisChannel
    # Kombu would take the URL apart and forget its scheme, and with it whether there is to be TLS.
    can_parse_url = True

    @classmethod
    def producer_lane(cls, connection: Any) -> ProducerLane:
        """A lane to the server that the Kombu connection names."""
        options = broker_options(connection.transport_options, getattr(connection, "app", None))
        return RedisProducerLane(Link(addresses_of(connection), _link_options(connection), OperationalError), options)

    @classmethod
    def consumer_lane(cls, connection: Any) -> ConsumerLane:
        """A lane from the server that the Kombu connection names."""
        options = broker_options(connection.transport_options, getattr(connection, "app", None))
        return RedisConsumerLane(addresses_of(connection), _link_options(connection), options)


def addresses_of(connection: Any) -> list[Address]:
    """The server of a Kombu connection, then those to try when it cannot be reached."""
    given = {
        "port": connection.port,
        "username": connection.userid,
        "password": connection.password,
    }
    virtual_host = str(connection.virtual_host or "").strip("/")
    if virtual_host.isdecimal():
        given["db"] = int(virtual_host)
    urls = connection.alt or [connection.hostname or "127.0.0.1"]
    return [parse(url, connection.ssl, **given) for url in urls]


def _link_options(connection: Any) -> LinkOptions:
    found = link_options(connection.transport_options)
    if connection.credential_provider is not None and found.credential_provider is None:
        found = replace(found, credential_provider=connection.credential_provider)
    if "socket_connect_timeout" not in connection.transport_options and connection.connect_timeout:
        found = replace(found, socket_connect_timeout=connection.connect_timeout)
    return found
