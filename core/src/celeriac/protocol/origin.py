"""Who speaks: the name and the ids that this process and thread put into messages."""

from __future__ import annotations

import os
from functools import cache
from threading import get_ident
from uuid import NAMESPACE_OID, uuid3, uuid4, uuid5

__all__ = ["expanded", "hostname", "node_named", "nodename", "oid_from", "origin"]


@cache
def hostname() -> str:
    """The name of this host, looked up once."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket  # a heavy module, and only needed where there is no uname

    return socket.gethostname()


@cache
def origin() -> str:
    """``gen<pid>@<host>`` of this process, as the header ``origin`` and the events of clients say it."""
    return f"gen{os.getpid()}@{hostname()}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=origin.cache_clear)


def nodename(name: str | None = None, host: str | None = None) -> str:
    """``name@host`` of a worker; a name that holds an ``@`` is complete already."""
    if name and "@" in name:
        return name
    return f"{name or 'celery'}@{host or hostname()}"


def expanded(text: str, node: str) -> str:
    """`text` with %p replaced by a node's name, and its parts: %n before the ``@``, %h the host, %d its domain.

    %i and %I stand for the number of a pool's child, and are nothing in its parent.
    """
    name, _, host = node.partition("@")
    domain = host.partition(".")[2]
    for sign, value in (("%p", node), ("%n", name), ("%h", host), ("%d", domain), ("%i", ""), ("%I", "")):
        text = text.replace(sign, value)
    return text


def node_named(given: str | None = None) -> str:
    """The name of a worker's node, in which %h stands for this host, %n and %d for its first part and its domain."""
    if not given:
        return nodename()
    host = hostname()
    name, _, domain = host.partition(".")
    for sign, value in (("%h", host), ("%n", name), ("%d", domain), ("%i", ""), ("%I", "")):
        given = given.replace(sign, value)
    return nodename(given, host)


@cache
def _node() -> int:
    # Random, and kept over a fork: the process id, which is also in the oid, tells parent and child apart.
    return uuid4().int


def oid_from(obj: object, *, threads: bool = True) -> str:
    """The id of `obj` in this process and, if `threads`, this thread: the same at each call, like no other."""
    name = f"{_node():x}-{os.getpid():x}-{get_ident() if threads else 0:x}-{id(obj):x}"
    try:
        return str(uuid3(NAMESPACE_OID, name))
    except ValueError:  # MD5 is refused on hosts in FIPS mode
        return str(uuid5(NAMESPACE_OID, name))
