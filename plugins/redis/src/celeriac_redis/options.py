"""How the server is talked to, and how its keys are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured

#: A lease shorter than that would run out whenever the machine is busy.
_SHORTEST_LEASE: Final = 1.0


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How one connection behaves; times in seconds."""

    #: How long an answer may take before the connection is given up; None: for ever.
    socket_timeout: float | None = 30.0
    #: How long connecting may take.
    socket_connect_timeout: float | None = 5.0
    #: Let the operating system notice that the other end has gone.
    socket_keepalive: bool = True
    socket_keepalive_options: Mapping[int, int] | None = None
    #: What ``CLIENT LIST`` shows; an owner's name is added to that of a worker's connection.
    client_name: str | None = None
    #: An object of redis-py's that knows user name and password.
    credential_provider: Any = None


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Names and times, those of Celery where Celery has them; times in seconds."""

    global_keyprefix: str = ""
    sep: str = "\x06\x16"
    priority_steps: tuple[int, ...] = (0, 3, 6, 9)
    unacked_key: str = "unacked"
    unacked_index_key: str = "unacked_index"
    unacked_mutex_key: str = "unacked_mutex"
    #: How long one process may keep others from restoring.
    unacked_mutex_expire: float = 300.0
    #: After how long a claim of a worker that is not Celeriac's counts as abandoned; the same for the whole fleet.
    visibility_timeout: float = 3600.0
    #: How long claims of a Celeriac worker last that is neither connected nor heard of.
    lease: float = 30.0
    fanout_prefix: bool | str = True
    fanout_patterns: bool = True
    #: ``round_robin`` is fair to all queues; any other order takes from the first queue while there is anything.
    queue_order_strategy: str = "round_robin"
    #: How long a sender may look for the server's answer before it sleeps; 0: not at all.
    busy_poll: float = 100e-6

    def __post_init__(self) -> None:
        if self.lease < _SHORTEST_LEASE:
            raise ImproperlyConfigured(f"redis_lease is {self.lease:g} s; it must be at least {_SHORTEST_LEASE:g} s")
        if not self.priority_steps or self.priority_steps[0] != 0:
            raise ImproperlyConfigured(
                f"priority_steps is {list(self.priority_steps)!r}; it must be a list of numbers that begins with 0"
            )


def link_options(given: Mapping[str, Any]) -> LinkOptions:
    """The options of a connection among what is given."""
    return LinkOptions(**_known(LinkOptions, given))


def broker_options(given: Mapping[str, Any], app: Any = None) -> BrokerOptions:
    """The options of the broker among ``broker_transport_options``.  Raises ImproperlyConfigured."""
    found = _known(BrokerOptions, given)
    if "lease" not in found and app is not None:  # a setting is missing where this plugin's hooks are disabled
        lease = getattr(app.conf, "redis_lease", None)
        if lease is not None:
            found["lease"] = lease
    if "priority_steps" in found:
        found["priority_steps"] = tuple(sorted(found["priority_steps"]))
    return BrokerOptions(**found)


def _known(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in given.items() if name in names}
