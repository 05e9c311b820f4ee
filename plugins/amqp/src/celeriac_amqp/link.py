"""One connection of a lane: made when it is first needed, made anew when it was lost."""

# mypy: allow-untyped-calls

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import OperationalError

from celeriac_amqp.remedies import with_remedy
from celeriac_amqp.transports import CheckedTlsTransport, LaneTlsTransport, LaneTransport

if TYPE_CHECKING:
    from celeriac_amqp.wire import Wire

logger = logging.getLogger("celeriac.amqp")

#: What a connection that is lost, or that the server has closed, raises; also what the library stumbles over then.
ERRORS: Final = (OSError, AMQPError, OperationalError, AttributeError)


def is_silence(error: BaseException) -> bool:
    """Whether the server has neither failed nor said anything for as long as it is waited for."""
    return isinstance(error, TimeoutError | BlockingIOError | ssl.SSLWantReadError | ssl.SSLWantWriteError)


#: What is raised where the other end closes the connection.
_HANG_UPS: Final = (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError)
#: So many times the number of servers a failover strategy, which may draw lots, is asked for the next.
_DRAWS: Final = 10


class Link:
    """To the servers of a Kombu connection, of which the first that answers is taken, and then the next."""

    def __init__(self, connection: Any, heartbeat: float | None = None) -> None:
        """`heartbeat` in seconds in place of the connection's own."""
        tls = self._is_tls = issubclass(connection.transport_cls, CheckedTlsTransport) or bool(connection.ssl)
        # Kombu would look for a transport anew where it fails over to another URL.
        self._servers = [
            Connection(
                url,
                transport=LaneTlsTransport if tls else LaneTransport,
                ssl=connection.ssl,
                connect_timeout=connection.connect_timeout,
                login_method=connection.login_method,
                transport_options=connection.transport_options,
                heartbeat=connection.heartbeat if heartbeat is None else heartbeat,
                credential_provider=connection.credential_provider,
                **_credentials(connection),
            )
            for url in connection.alt or [_url(connection)]
        ]
        for server in self._servers:
            # Of a URL with a scheme Kombu may take another transport than it is told.
            server.transport_cls = LaneTlsTransport if tls else LaneTransport
        self._servers = _in_order(self._servers, connection.failover_strategy)
        self._server = self._servers[0]
        self.wire: Wire | None = None

    def connect(self) -> Wire:
        """A new connection; one try with each server, that of the last one first.  Raises `OperationalError`."""
        self.drop()
        first = self._servers.index(self._server)
        last: BaseException | None = None
        for server in (*self._servers[first:], *self._servers[:first]):
            try:
                wire: Wire = server.transport.establish_connection()
            except ERRORS as error:
                logger.debug("%s does not answer: %r", server.host, error)
                last = last or error
            else:
                self._server, self.wire = server, wire
                return wire
        assert last is not None
        if self._is_tls and isinstance(last, _HANG_UPS):
            # It says why in an alert, which is lost where it has hung up before our first word.
            raise OperationalError(
                f"RabbitMQ at {self.place} hangs up on connecting: it may want a certificate of yours (ssl_certfile "
                "and ssl_keyfile), or not know who has signed that"
            ) from last
        raise self.explained(last) from last

    def explained(self, error: BaseException) -> OperationalError:
        """The error to raise in place of one of the library's: it names the server."""
        if isinstance(error, OperationalError) and str(error).startswith("RabbitMQ at "):
            return error
        text = "it does not answer" if is_silence(error) else str(error) or type(error).__name__
        found = OperationalError(f"RabbitMQ at {self.place}: {with_remedy(text)}")
        found.__cause__ = error  # also where it is handed on and not raised
        return found

    def lost(self) -> OperationalError:
        """The error to raise where a connection is used after it was lost."""
        return OperationalError(f"the connection to RabbitMQ at {self.place} was lost")

    @property
    def is_as_specified(self) -> bool:
        """Whether the server means by a global prefetch what the specification says: RabbitMQ 3.3 to 3.13 do not."""
        return self.wire is None or bool(self._server.transport.qos_semantics_matches_spec(self.wire))

    @property
    def place(self) -> str:
        """Where the server is, as it may be shown."""
        virtual_host = str(self._server.virtual_host or "/").removeprefix("/")
        server = self._server
        port = server.port or server.transport.default_connection_params["port"]
        return f"{server.hostname or 'localhost'}:{port}/{virtual_host}"

    def drop(self) -> None:
        """Give up the connection, if there is one, without a word."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.drop()

    def close(self) -> None:
        """Take leave of the server; tolerates never connected and twice."""
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.part()


def _in_order(servers: list[Any], strategy: Callable[[list[Any]], Iterable[Any]] | None) -> list[Any]:
    """In the order in which a failover strategy names them, and then those that it does not name for long."""
    if strategy is None or len(servers) < 2:
        return servers
    named: list[Any] = []
    for server in islice(strategy(list(servers)), _DRAWS * len(servers)):
        if server not in named:
            named.append(server)
    return named + [server for server in servers if server not in named]


def _url(connection: Any) -> str:
    """A URL of what a Kombu connection has taken apart."""
    parts = {name: getattr(connection, name) for name in ("userid", "password", "virtual_host", "port")}
    host = connection.hostname or "localhost"
    login = ""
    if parts["userid"] and not callable(parts["password"]):
        login = f"{quote(str(parts['userid']), safe='')}:{quote(str(parts['password'] or ''), safe='')}@"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    port = f":{parts['port']}" if parts["port"] else ""
    return f"amqp://{login}{host}{port}/{quote(str(parts['virtual_host'] or '/'), safe='')}"


def _credentials(connection: Any) -> dict[str, Any]:
    """What was given beside the URLs, for those that do not say."""
    given = connection._initial_params
    names = ("userid", "password")
    return {name: given[name] for name in names if given.get(name) is not None} if connection.alt else {}
