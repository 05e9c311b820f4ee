"""Where a server is: URLs, and what they say about the way there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from celeriac.contracts.urls import mask_password, scheme_of
from celeriac.exceptions import ImproperlyConfigured

DEFAULT_PORT: Final = 6379

SENTINEL_PORT: Final = 26379

# Kombu takes the part before a + off a URL: what is left of a cluster's is `cluster`.
_CLUSTER: Final = frozenset({"cluster", "redis+cluster", "rediss+cluster", "valkey+cluster", "valkeys+cluster"})
_TCP: Final = frozenset({"redis", "valkey", "sentinel"})
_TLS: Final = frozenset({"rediss", "valkeys", "rediss+cluster", "valkeys+cluster"})
_SOCKET: Final = frozenset({"socket", "redis+socket", "valkey+socket"})

_CERTIFICATES: Final = {
    "required": "required",
    "cert_required": "required",
    "optional": "optional",
    "cert_optional": "optional",
    "none": "none",
    "cert_none": "none",
}
_FALSE: Final = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Address:
    """One server; `path` is that of a unix socket, `tls` the arguments of redis-py that begin with ``ssl_``."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        where = self.path if self.path is not None else f"{self.host}:{self.port}"
        return f"{where}, database {self.db}"


def parse(url: str, ssl: Any = None, **given: Any) -> Address:
    """The address that a URL names.

    `ssl` is what ``broker_use_ssl`` says: true, or a map of ``ssl_`` arguments.  What is `given` under the name of a
    field holds where the URL says nothing.  Raises ImproperlyConfigured.
    """
    parts = urlsplit(url if "://" in url else f"redis://{url}")
    scheme = parts.scheme
    if scheme not in _TCP | _TLS | _SOCKET | _CLUSTER:
        raise ImproperlyConfigured(
            f"{mask_password(url)!r} is no address of a Redis server: its scheme can be redis, rediss, valkey, "
            "valkeys, redis+socket, valkey+socket, sentinel, redis+cluster or rediss+cluster"
        )
    query = dict(parse_qsl(parts.query))
    try:
        port = parts.port
        database = _database(query.get("virtual_host") or query.get("db") or "" if scheme in _SOCKET else parts.path)
    except ValueError as error:
        raise ImproperlyConfigured(f"{mask_password(url)!r} is no address of a Redis server: {error}") from None
    found: dict[str, Any] = {
        "host": unquote(parts.hostname) if parts.hostname and scheme not in _SOCKET else None,
        "port": SENTINEL_PORT if port is None and is_sentinel(url) else port,
        "path": f"/{unquote(parts.path).lstrip('/')}" if scheme in _SOCKET else None,
        "db": database,
        "username": unquote(parts.username or "") or query.get("username") or None,
        "password": unquote(parts.password or "") or query.get("password") or None,
        "tls": _tls(scheme in _TLS, query, ssl),
    }
    values = {name: given.get(name) if value is None else value for name, value in found.items()}
    return Address(**{name: value for name, value in values.items() if value is not None})


def is_sentinel(url: str) -> bool:
    """Whether a URL names a Sentinel."""
    return scheme_of(url) == "sentinel"


def is_cluster(url: str) -> bool:
    """Whether a URL names a node of a cluster."""
    return scheme_of(url) in _CLUSTER


def _database(text: str) -> int | None:
    text = text.strip("/")
    if not text:
        return None
    if not text.isdecimal():
        raise ValueError(f"the database {text!r} is not a number")
    return int(text)


def _tls(demanded: bool, query: Mapping[str, str], ssl: Any) -> dict[str, Any] | None:
    """The arguments for TLS, None for none.  Certificates are checked unless somebody has said in words not to."""
    given: dict[str, Any] = {key: value for key, value in query.items() if key.startswith("ssl_")}
    if isinstance(ssl, Mapping):
        given.update(ssl)
    if not (demanded or given or ssl):
        return None
    demand = given.get("ssl_cert_reqs")
    if isinstance(demand, str):
        if demand.lower() not in _CERTIFICATES:
            raise ImproperlyConfigured(f"ssl_cert_reqs is {demand!r}; it can be required, optional or none")
        given["ssl_cert_reqs"] = demand = _CERTIFICATES[demand.lower()]
    check = given.get("ssl_check_hostname")
    if isinstance(check, str):
        given["ssl_check_hostname"] = check.lower() not in _FALSE
    elif check is None:
        # ssl.CERT_NONE is 0: without a certificate there is no name to compare.
        given["ssl_check_hostname"] = demand not in {"none", 0}
    return given
