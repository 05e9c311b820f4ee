"""A connection of redis-py's to one server."""

# Half of redis-py's connections have no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

if TYPE_CHECKING:
    from celeriac_redis.address import Address
    from celeriac_redis.options import LinkOptions


def new_connection(address: Address, options: LinkOptions) -> AbstractConnection:
    """A connection that is yet to be made."""
    arguments: dict[str, Any] = {
        "db": address.db,
        "username": address.username,
        "password": address.password,
        "socket_timeout": options.socket_timeout,
        "client_name": options.client_name,
        # One form of answers, whatever redis-py's default becomes.
        "protocol": 2,
    }
    if options.credential_provider is not None:
        arguments.update(credential_provider=options.credential_provider, username=None, password=None)
    if address.path is not None:
        return UnixDomainSocketConnection(path=address.path, **arguments)  # type: ignore[abstract]  # it is not, at run time
    arguments.update(
        host=address.host,
        port=address.port,
        socket_connect_timeout=options.socket_connect_timeout,
        socket_keepalive=options.socket_keepalive,
        socket_keepalive_options=options.socket_keepalive_options,
    )
    if address.tls is not None:
        return SSLConnection(**arguments, **address.tls)
    return Connection(**arguments)
