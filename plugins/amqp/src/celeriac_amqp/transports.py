"""Kombu's transport, with certificates checked, and those of the lanes."""

# Kombu's transport, which is extended here, has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, Final

from amqp.exceptions import AMQPError
from kombu.transport import pyamqp

from celeriac.exceptions import ImproperlyConfigured
from celeriac_amqp.options import OWN, PATIENCE
from celeriac_amqp.remedies import with_remedy
from celeriac_amqp.wire import Wire

_CHECKS: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class CheckedTransport(pyamqp.Transport):
    """Connects where a Kombu connection says; over TLS to a server whose certificate and name are checked."""

    def establish_connection(self) -> Any:
        client: Any = self.client
        host, given, options = client.hostname, client.ssl, client.transport_options
        try:
            if given:
                client.ssl = tls_options(given, client.hostname or "localhost")
            given_on = {name: value for name, value in (options or {}).items() if name not in OWN}
            client.transport_options = {**self.patience(options or {}), **given_on}
            return super().establish_connection()
        except AMQPError as error:  # it refuses the login, or the virtual host
            error.reply_text = with_remedy(str(error.reply_text))
            raise
        finally:
            # The next try may be with another host; and Kombu writes an address for a name that certificates have.
            client.hostname, client.ssl, client.transport_options = host or client.hostname, given, options

    def patience(self, options: Mapping[str, Any]) -> dict[str, float]:
        """What the client library is told of how long to wait, where `options` say nothing."""
        return {}


class CheckedTlsTransport(CheckedTransport):
    """The same, always over TLS."""

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        if not client.ssl:
            client.ssl = True


class _Patient:
    """Waits neither to be read nor for an answer for ever: a server that takes messages no more reads no more."""

    Connection = Wire

    def patience(self, options: Mapping[str, Any]) -> dict[str, float]:
        seconds = options.get("confirm_timeout", PATIENCE)
        return {"read_timeout": seconds, "write_timeout": seconds}


class LaneTransport(_Patient, CheckedTransport):
    """Connects lanes."""


class LaneTlsTransport(_Patient, CheckedTlsTransport):
    """Connects lanes over TLS."""


def tls_options(given: Any, host: str) -> dict[str, Any]:
    """What TLS is set up with: what is given (true, or a map as in `broker_use_ssl`), with checks unless it says no."""
    options = dict(given) if isinstance(given, Mapping) else {}
    options = {name.removeprefix("ssl_"): value for name, value in options.items()}
    if "context" in options:
        return options
    checks = options.get("cert_reqs", ssl.CERT_REQUIRED)
    if isinstance(checks, str):
        name = checks.lower().removeprefix("cert_")
        if name not in _CHECKS:
            raise ImproperlyConfigured(f"ssl_cert_reqs is none, optional or required, not {checks!r}")
        checks = _CHECKS[name]
    options["cert_reqs"] = ssl.CERT_NONE if checks is None else checks
    checks_name = options.pop("check_hostname", options["cert_reqs"] != ssl.CERT_NONE)
    if checks_name and options.get("server_hostname") is None:
        options["server_hostname"] = host
    return options
