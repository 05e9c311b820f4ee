"""The hooks: the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celeriac.plugin import Setting, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def celeriac_settings() -> Iterable[Setting]:
    """Say how the server is used."""
    return [
        Setting(
            "redis_lease",
            "seconds",
            30.0,
            "How long the claims of a worker last that is neither connected to the broker nor heard of.",
            minimum=1,
        ),
        Setting("redis_backend_use_ssl", "any", None, "TLS to the result store: true, or a map of ssl_ arguments."),
        Setting("redis_socket_timeout", "seconds", 120.0, "How long the result store may take to answer.", minimum=0),
        Setting(
            "redis_socket_connect_timeout",
            "seconds",
            None,
            "How long connecting to the result store may take; None: 5 s.",
            minimum=0,
        ),
        Setting(
            "redis_socket_keepalive",
            bool,
            True,
            "Let the operating system notice that the result store has gone.",
        ),
        Setting("redis_client_name", str, None, "The name of the result store's connections in CLIENT LIST."),
    ]
