"""The address of a broker, by which workers of one host know that they have the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kombu.utils.url import parse_url


def address_of(connection: Any) -> str:
    """Of a Kombu connection; all its servers, where it has several, and without credentials."""
    transport = connection.get_transport_cls()
    places = [parse_url(url) for url in connection.alt if "://" in url] or [connection.info()]
    return f"{transport.driver_type} {' '.join(sorted({_place(place, transport.default_port) for place in places}))}"


def _place(known: Mapping[str, Any], default_port: int | None) -> str:
    name, port, path = known["hostname"], known["port"], known["virtual_host"]
    return f"{name or 'localhost'}:{port or default_port}/{(path or '').strip('/')}"
