"""The part of an app that reaches a broker: URLs, transports, connections."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from celeriac.app.configuring import ConfiguredApp
from celeriac.app.names import symbol
from celeriac.exceptions import ImproperlyConfigured


class ConnectedApp(ConfiguredApp):
    """What a `Celery` knows of its broker."""

    #: The class of `amqp`; a type or a dotted name.
    amqp_cls: Any = "celeriac.app.amqp:AMQP"

    @cached_property
    def amqp(self) -> Any:
        """Queues and routes."""
        return symbol(self.amqp_cls)(self)

    def select_queues(self, queues: str | Iterable[str] | None = None) -> None:
        """Let workers of this app listen to these queues only."""
        self.amqp.queues.select(queues)

    @cached_property
    def connection_errors(self) -> tuple[type[BaseException], ...]:
        """What a broker that is out of reach raises."""
        from kombu.exceptions import OperationalError

        errors = getattr(self.broker_transport, "connection_errors", ()) or ()
        return (OperationalError, *errors)

    @cached_property
    def broker_transport(self) -> type[Any]:
        """The Kombu transport class that serves the broker's URL."""
        return self.transport_for(self.broker_url())

    def transport_for(self, url: Any) -> type[Any]:
        """The transport class for a URL.  Raises `PluginNotFound`."""
        from celeriac.contracts.urls import scheme_of

        wanted = self.conf.broker_transport
        first = url[0] if isinstance(url, (list, tuple)) else url
        found: type[Any] = self.plugins.driver("broker", wanted or scheme_of(first))
        return found

    def broker_url(self, write: bool = True) -> Any:
        """The URL of the broker.  Raises `ImproperlyConfigured` where there is none."""
        conf = self.conf
        url = (conf.broker_write_url if write else conf.broker_read_url) or conf.broker_url
        if not url and (conf.broker_transport or conf.broker_host):
            transport = conf.broker_transport
            scheme = transport if transport and ":" not in transport else "amqp"  # a class is no scheme
            url = f"{scheme}://{conf.broker_host or ''}{_path(conf.broker_vhost)}"
        if not url:
            raise ImproperlyConfigured(
                "no broker is configured, and no installed plugin offers one of its own. For the embedded queue: "
                "pip install celeriac-sqlite; for any other, set broker_url, as in Celery('proj', broker='redis://')"
            )
        return url

    def broker_uri(self, write: bool = True) -> str:
        """The URL of the broker as it may be shown; with the others to fail over to."""
        from celeriac.contracts.urls import mask_password

        url = self.broker_url(write)
        return mask_password(url if isinstance(url, str) else ";".join(url))

    def connection_for_write(self, url: Any = None, **kwargs: Any) -> Any:
        """A Kombu connection for publishing; it connects when it is used."""
        return self._connection(url or self.broker_url(write=True), **kwargs)

    def connection_for_read(self, url: Any = None, **kwargs: Any) -> Any:
        """A Kombu connection for consuming; whoever consumes sends its heartbeats."""
        kwargs.setdefault("heartbeat", self.conf.broker_heartbeat)
        return self._connection(url or self.broker_url(write=False), **kwargs)

    def connection(
        self,
        hostname: Any = None,
        userid: str | None = None,
        password: str | None = None,
        virtual_host: str | None = None,
        port: int | None = None,
        ssl: Any = None,
        connect_timeout: float | None = None,
        transport: Any = None,
        transport_options: Mapping[str, Any] | None = None,
        heartbeat: float | None = None,
        login_method: str | None = None,
        failover_strategy: Any = None,
        **kwargs: Any,
    ) -> Any:
        """A Kombu connection to `hostname`, a URL or a host (default: where messages are written).

        What is not given comes from the configuration.  `transport` is a scheme or a class, `connect_timeout` and
        `heartbeat` are in seconds; `transport_options` are laid over those of the configuration.
        """
        given = {
            "userid": userid,
            "password": password,
            "virtual_host": virtual_host,
            "port": port,
            "ssl": ssl,
            "connect_timeout": connect_timeout,
            "transport": transport,
            "heartbeat": heartbeat,
            "login_method": login_method,
            "failover_strategy": failover_strategy,
        }
        if transport_options is not None:
            given["transport_options"] = {**self.conf.broker_transport_options, **transport_options}
        given = {key: value for key, value in given.items() if value is not None}
        return self._connection(hostname or self.broker_url(write=True), **given, **kwargs)

    broker_connection = connection

    def _connection(self, url: Any, transport: Any = None, **kwargs: Any) -> Any:
        from celeriac.app.compression import limit_kombu
        from celeriac.app.kombu_connection import AppConnection  # loads Kombu

        conf = self.conf
        options = {
            "transport": self.plugins.driver("broker", transport) if transport else self.transport_for(url),
            "ssl": conf.broker_use_ssl or False,
            "connect_timeout": conf.broker_connection_timeout,
            "login_method": conf.broker_login_method,
            "failover_strategy": conf.broker_failover_strategy,
            "transport_options": dict(conf.broker_transport_options),
            **kwargs,
        }
        given = {"userid": conf.broker_user, "password": conf.broker_password, "port": conf.broker_port}
        options.update({key: value for key, value in given.items() if value is not None and key not in options})
        limit_kombu(self._whole)
        return AppConnection(url, **options).keep(self, options["transport"])

    @property
    def oid(self) -> str:
        """An id of this app in this process."""
        from celeriac.protocol.origin import oid_from

        return oid_from(self, threads=False)

    @property
    def thread_oid(self) -> str:
        """An id of this app in this thread: where replies go."""
        ident = (os.getpid(), threading.get_ident())
        known = self.__dict__.get("_thread_oid")
        if known is not None and known[0] == ident:
            oid: str = known[1]
            return oid
        from celeriac.protocol.origin import oid_from

        oid = oid_from(self, threads=True)
        self.__dict__["_thread_oid"] = (ident, oid)
        return oid


def _path(vhost: str | None) -> str:
    """A virtual host as the path of a URL: ``/`` itself is written twice."""
    return "" if not vhost else f"/{vhost}"
