"""The names of workers, ``name@host`` (``celery.utils.nodenames``)."""

from __future__ import annotations

import os
from socket import gethostname
from typing import Any

from celeriac.protocol.origin import hostname as this_host
from celeriac.protocol.origin import nodename as node_of


def nodename(name: str, hostname: str) -> str:
    """``name@hostname``."""
    return f"{name}@{hostname}"


def anon_nodename(hostname: str | None = None, prefix: str = "gen") -> str:
    """The name of a process that is no worker."""
    return f"{prefix}{os.getpid()}@{hostname or this_host()}"


def nodesplit(name: str) -> tuple[None, str] | list[str]:
    """Name and host; None and the whole where there is no ``@``."""
    parts = name.split("@", 1)
    return (None, parts[0]) if len(parts) == 1 else parts


def default_nodename(hostname: str | None, default_name: str = "celery") -> str:
    """The whole name of a worker, of which only a part may be given."""
    name, host = nodesplit(hostname or "")
    return node_of(name or default_name, host or this_host())


def host_format(s: str, host: str | None = None, name: str | None = None, **extra: Any) -> str:
    """`s` with %h, %n and %d as the whole host, its first part and its domain, and further letters as given."""
    host = host or this_host()
    first, _, domain = host.partition(".")
    signs = {"h": host, "n": name or first, "d": domain, "i": "%i", "I": "%I", **extra}
    out, rest = "", s
    while rest:
        before, sign, after = rest.partition("%")
        letter = after[:1]
        value = signs.get(letter, sign + letter)
        out += before + (str(value() if callable(value) else value) if sign else "")
        rest = after[1:]
    return out


def node_format(s: str, name: str, **extra: Any) -> str:
    """The same for a worker of that name; %p is the name itself."""
    short, host = nodesplit(name)
    return host_format(s, host, short or None, p=name, **extra)


__all__ = [
    "anon_nodename",
    "default_nodename",
    "gethostname",
    "host_format",
    "node_format",
    "nodename",
    "nodesplit",
]
