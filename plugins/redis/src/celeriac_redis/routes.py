"""Exchanges and bindings, as Kombu keeps them in the server, and where they send a message."""

# Kombu's exchange types, whose rules are used here, have no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from kombu import Exchange
from kombu.transport.virtual.exchange import STANDARD_EXCHANGE_TYPES

if TYPE_CHECKING:
    from celeriac_redis.keys import Keys
    from celeriac_redis.link import Link
    from celeriac_redis.scripts import Command

#: Bindings of queues that expire are kept twice as long as these, and at least an hour: so does Kombu.
_KEPT_FACTOR: Final = 2
_KEPT_LEAST_MS: Final = 3_600_000


class Routes:
    """What was declared in this process, and what the server knows of bindings."""

    def __init__(self, link: Link, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._types: dict[str, str] = {}
        #: Milliseconds after which an unused queue disappears, for those queues that do.
        self.expiring: dict[str, int] = {}
        self._rules = {name: kind(None) for name, kind in STANDARD_EXCHANGE_TYPES.items()}

    def declare(self, queues: Iterable[Any]) -> list[Command]:
        """The commands that declare Kombu queues with their bindings; to be repeated for those that expire."""
        commands: list[Command] = []
        for queue in queues:
            if isinstance(queue, Exchange):  # of a broadcast: only its type is to be known
                self._types[queue.name] = queue.type or "direct"
                continue
            expires = expiry_of(queue)
            if expires is not None:
                self.expiring[queue.name] = expires
            for exchange, routing_key in bindings_of(queue):
                self._types[exchange.name] = kind = exchange.type or "direct"
                _, pattern, _ = self._rules[kind].prepare_bind(queue.name, exchange.name, routing_key, None)
                member = self._keys.member(routing_key, pattern, queue.name)
                commands.append(("SADD", self._keys.binding(exchange.name), member))
                if expires is None:
                    commands.append(("SADD", self._keys.permanent(exchange.name), member))
                else:
                    until = int(time.time() * 1000) + max(expires * _KEPT_FACTOR, _KEPT_LEAST_MS)
                    commands.append(("ZADD", self._keys.binding_deadlines, "GT", until, exchange.name))
        return commands

    def keep(self) -> list[Command]:
        """The commands that keep the messages of queues which expire when nobody uses them."""
        return [
            ("PEXPIRE", name, milliseconds)
            for queue, milliseconds in self.expiring.items()
            for name in self._keys.lists(queue)
        ]

    def is_fanout(self, exchange: str) -> bool:
        """Whether messages to the exchange go to everyone who listens at the moment."""
        return self._types.get(exchange) == "fanout"

    def is_direct(self, exchange: str) -> bool:
        """Whether a message that reaches no queue is a mistake: not where it is a topic."""
        return self._types.get(exchange, "direct") == "direct"

    def queues_for(self, exchange: str, routing_key: str) -> list[str]:
        """The queues that a message goes to.  Asks the server, except for the default exchange."""
        if not exchange:
            return [routing_key]
        (members,) = self._link.ask(("SMEMBERS", self._keys.binding(exchange)))
        table = self._keys.members(members)
        found = self._rules[self._types.get(exchange, "direct")].lookup(table, exchange, routing_key, None)
        return sorted(queue for queue in found if queue)


def bindings_of(queue: Any) -> list[tuple[Any, str]]:
    """The exchanges of a Kombu queue that have a name, with the routing keys."""
    found = [(queue.exchange, queue.routing_key)] if queue.exchange is not None else []
    found += [(one.exchange, one.routing_key) for one in queue.bindings or ()]
    return [(exchange, routing_key or "") for exchange, routing_key in found if exchange is not None and exchange.name]


def expiry_of(queue: Any) -> int | None:
    """Milliseconds after which an unused Kombu queue disappears, None for never."""
    if queue.expires is not None:
        return int(queue.expires * 1000)
    stated = (queue.queue_arguments or {}).get("x-expires")
    return None if stated is None else int(stated)
