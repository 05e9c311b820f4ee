"""Where to serve, as people write it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from celeriac.exceptions import ImproperlyConfigured

_LOOPBACK: Final = "127.0.0.1"
_UNIX: Final = "unix:"


def bound_socket(address: str) -> socket.socket:
    """A listening socket at ``HOST:PORT``, ``[IPV6]:PORT``, ``:PORT`` or ``PORT`` (this machine only) or ``unix:PATH``.

    Raises `ImproperlyConfigured` for anything else, and where that is taken.
    """
    try:
        if address.startswith(_UNIX):
            return _unix(Path(address.removeprefix(_UNIX)))
        host, _, port = address.rpartition(":")
        if not (port.isascii() and port.isdecimal() and int(port) < 65536):
            raise ImproperlyConfigured(
                f"the address for health checks (--health) must be HOST:PORT or unix:PATH, as in 127.0.0.1:8080, or "
                f"0.0.0.0:8080 for all who can reach this machine; it is {address!r}"
            )
        host = host.removeprefix("[").removesuffix("]") or _LOOPBACK
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=64)
    except (OSError, UnicodeError) as error:
        raise ImproperlyConfigured(
            f"health checks cannot be served at {address}: {error}; give each worker of a machine an address of its own"
        ) from error


def _unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        try:
            listener.bind(str(path))
        except OSError:
            if not path.is_socket() or _is_served(path):
                raise
            path.unlink()  # of a worker that has died
            listener.bind(str(path))
        listener.listen(64)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def shown(listener: socket.socket) -> str:
    """The address at which it listens, as a URL or path."""
    name = listener.getsockname()
    if isinstance(name, str):
        return _UNIX + name
    host, port = name[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
