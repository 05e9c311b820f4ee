"""Where a message goes: from the options queue, exchange and routing_key to names that a broker knows."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from celeriac.protocol.properties import PERSISTENT, TRANSIENT

if TYPE_CHECKING:
    from celeriac.app.base import Celery

_DELIVERY_MODES: Final = {"persistent": PERSISTENT, "transient": TRANSIENT}


class Destination(NamedTuple):
    """`queue` is the Kombu queue to declare before, if any; of a broadcast only the exchange is declared."""

    queue: Any
    exchange: str
    routing_key: str
    delivery_mode: int


class Destinations:
    """Those of one app; a queue that is named alone is looked up once."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._by_queue: dict[str, Destination] = {}

    def of(self, options: Mapping[str, Any]) -> Destination:
        """Where a message with these options goes.

        Raises `QueueNotFound` for a queue that is not configured while task_create_missing_queues is off.
        """
        exchange, routing_key, queue = options.get("exchange"), options.get("routing_key"), options.get("queue")
        if exchange is None and routing_key is None and (queue is None or isinstance(queue, str)):
            name = queue or self.app.conf["task_default_queue"]
            found = self._by_queue.get(name)
            if found is None:
                found = self._by_queue[name] = self._find(self.app.amqp.queues[name], None, None)
            return found
        if queue is None and exchange is None:
            queue = self.app.conf.task_default_queue
        if isinstance(queue, str):
            queue = self.app.amqp.queues[queue]
        return self._find(queue, exchange, routing_key)

    def _find(self, queue: Any, exchange: Any, routing_key: str | None) -> Destination:
        """A queue named alone is reached through the default exchange, unless its own is of another kind."""
        own = getattr(queue, "exchange", None)
        declared = own if _is_broadcast(queue) else queue
        mode = delivery_mode(
            getattr(exchange if exchange is not None else own, "delivery_mode", None)
            or self.app.conf.task_default_delivery_mode
        )
        if queue is not None and not exchange and not routing_key and getattr(own, "type", "direct") == "direct":
            return Destination(declared, "", queue.name, mode)
        if exchange is None:
            exchange = own
        if not routing_key:
            conf = self.app.conf
            routing_key = (
                getattr(queue, "routing_key", None) or conf.task_default_routing_key or conf.task_default_queue
            )
        return Destination(declared, getattr(exchange, "name", exchange) or "", routing_key or "", mode)


def delivery_mode(value: Any) -> int:
    """The number of a delivery mode that is given as a number or a word."""
    mode: int = _DELIVERY_MODES.get(value, value)
    return mode


def _is_broadcast(queue: Any) -> bool:
    """Whether `queue` stands for one per worker: a sender that declared it would have one too, read by nobody."""
    common = sys.modules.get("kombu.common")  # whoever made one has loaded it
    return common is not None and isinstance(queue, common.Broadcast)
