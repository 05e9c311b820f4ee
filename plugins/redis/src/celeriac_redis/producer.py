"""The producer lane."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from celeriac.contracts import ONCE_SECONDS, OutgoingMessage, ProducerLane
from celeriac_redis.envelope import seal
from celeriac_redis.fanout import Topics
from celeriac_redis.keys import Keys
from celeriac_redis.routes import Routes
from celeriac_redis.scripts import Script, in_full

if TYPE_CHECKING:
    from celeriac_redis.link import Link
    from celeriac_redis.options import BrokerOptions
    from celeriac_redis.scripts import Command

_publish_once: Final = Script("publish_once")
_ONCE_MS: Final = int(ONCE_SECONDS * 1000)

logger = logging.getLogger("celeriac.redis")


class RedisProducerLane(ProducerLane):
    """Puts messages into the lists of their queues, those of one call all together or not at all."""

    def __init__(self, link: Link, options: BrokerOptions) -> None:
        self._link = link
        self._keys = Keys(options)
        self._options = options
        self._routes = Routes(link, self._keys)
        self._topics = Topics(options, link.address.db)
        self._declared: set[str] = set()
        self._unheard: set[tuple[str, str]] = set()

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        self._declare(messages)
        lists: dict[str, list[bytes]] = {}
        broadcasts: list[Command] = []
        unique: list[Command] = []
        queues: set[str] = set()
        for message in messages:
            text = seal(message)
            if self._routes.is_fanout(message.exchange):
                broadcasts.append(("PUBLISH", self._topics.name(message.exchange, message.routing_key), text))
                continue
            names = self._queues_of(message)
            if self._routes.expiring:
                queues.update(names)
            priority = message.properties.get("priority")
            found = [self._keys.list_for(name, priority) for name in names]
            if message.once:
                once = self._keys.once(message.properties["correlation_id"])
                unique.append(_publish_once([once, *found], _ONCE_MS, text))
                continue
            for each in found:
                lists.setdefault(each, []).append(text)
        commands: list[Command] = [("LPUSH", name, *texts) for name, texts in lists.items()]
        if self._routes.expiring and not queues.isdisjoint(self._routes.expiring):
            commands += self._routes.keep()
        commands += broadcasts
        if len(commands) + len(unique) > 1:
            # Within a transaction nobody could say that the server does not have the script.
            commands = [("MULTI",), *commands, *map(in_full, unique), ("EXEC",)]
        else:
            commands += unique
        if commands:
            self._say(commands)

    def _declare(self, messages: Sequence[OutgoingMessage]) -> None:
        """Say once to the server what the queues of these messages are bound to."""
        declared = self._declared
        commands: list[Command] = []
        for message in messages:
            queue = message.queue
            if queue is not None and queue.name not in declared:
                commands += self._routes.declare([queue])
                declared.add(queue.name)
        if commands:
            try:
                self._link.ask(*commands)
            except BaseException:
                declared.clear()
                raise

    def _say(self, commands: list[Command]) -> None:
        answers = self._link.ask(*commands)
        if len(commands) > 1:
            for answer in answers[-1]:
                if isinstance(answer, RedisError):
                    raise self._link.refused(answer)

    def _queues_of(self, message: OutgoingMessage) -> list[str]:
        exchange, routing_key = message.exchange, message.routing_key
        queues = self._routes.queues_for(exchange, routing_key)
        if queues:
            return queues
        if self._routes.is_direct(exchange):
            raise OperationalError(
                f"no queue is bound to the exchange {exchange!r} with the routing key {routing_key!r}; declare one"
                " (task_queues) or send to a queue by its name"
            )
        if (exchange, routing_key) not in self._unheard:
            self._unheard.add((exchange, routing_key))
            logger.warning(
                "messages to exchange %r with routing key %r are dropped, because no queue is bound for them",
                exchange,
                routing_key,
            )
        return []

    def close(self) -> None:
        self._link.close()
