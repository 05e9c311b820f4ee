"""The channels on which messages to fanout exchanges travel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celeriac_redis.routes import bindings_of

if TYPE_CHECKING:
    from typing import Any

    from celeriac_redis.options import BrokerOptions


class Topics:
    """Names of publish/subscribe channels, as Kombu makes them; `database` is part of them."""

    def __init__(self, options: BrokerOptions, database: int) -> None:
        stated = options.fanout_prefix
        pattern = (stated if isinstance(stated, str) else "/{db}.") if stated else ""
        self._prefix = options.global_keyprefix + pattern.format(db=database)
        self._patterns = options.fanout_patterns

    def name(self, exchange: str, routing_key: str) -> str:
        """Where a message is published."""
        if routing_key and self._patterns:
            return f"{self._prefix}{exchange}/{routing_key}"
        return f"{self._prefix}{exchange}"

    def pattern(self, queue: Any) -> str | None:
        """What the consumer of a Kombu queue subscribes to, None for a queue that is no fanout exchange's."""
        for exchange, routing_key in bindings_of(queue):
            if exchange.type == "fanout":
                return self.name(exchange.name, routing_key.replace("#", "*"))
        return None
