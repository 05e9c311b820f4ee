"""Where to serve, as people write it."""

from __future__ import annotations

from celeriac.exceptions import ImproperlyConfigured

LOOPBACK = "127.0.0.1"


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, ``[IPV6]:PORT``, ``:PORT`` or ``PORT``; without a host, this machine only.

    Raises `ImproperlyConfigured`.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or LOOPBACK
    if not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ImproperlyConfigured(
            "the address for metrics (--metrics-address, or the setting prometheus_address) must be HOST:PORT, as in "
            f"127.0.0.1:9540, or 0.0.0.0:9540 for all who can reach this machine; it is {address!r}"
        )
    return host, int(port)


def shown(host: str, port: int) -> str:
    """The URL of the metrics."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
