"""The consumer lane."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kombu.exceptions import OperationalError

from celeriac.contracts import ConsumerLane, Delivery, LaneCapabilities, Settlements
from celeriac_redis.abandoned import Abandoned
from celeriac_redis.bell import Bell
from celeriac_redis.claims import Claims
from celeriac_redis.envelope import opened
from celeriac_redis.fanout import Topics
from celeriac_redis.keys import Keys
from celeriac_redis.link import Link
from celeriac_redis.routes import Routes
from celeriac_redis.watch import Watch

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop
    from celeriac_redis.options import BrokerOptions, LinkOptions
    from celeriac_redis.servers import Servers

logger = logging.getLogger("celeriac.redis")

_LEASES_PER_RENEWAL = 3


class RedisConsumerLane(ConsumerLane):
    """Claims from the queues of one server, on the keys that Celery uses."""

    capabilities = (
        LaneCapabilities.CLAIM_MANY
        | LaneCapabilities.SETTLE_MANY
        | LaneCapabilities.NATIVE_DELAY
        | LaneCapabilities.LEASES
        | LaneCapabilities.DELIVERY_COUNT
        | LaneCapabilities.BEGIN_TRACE
        | LaneCapabilities.GIVE_BACK
        | LaneCapabilities.QUEUE_DEPTH
        | LaneCapabilities.PRIORITY
        | LaneCapabilities.CHANGE_QUEUES
        | LaneCapabilities.CLAIMS_RETURN
    )

    def __init__(self, servers: Servers, link_options: LinkOptions, options: BrokerOptions) -> None:
        self._options = options
        self._keys = Keys(options)
        self._link = Link(servers, link_options, OperationalError, self._connected)
        self._bell_link = Link(servers, link_options, OperationalError)
        self._keeper_link = Link(servers, link_options, OperationalError)
        self._client_name = link_options.client_name
        self.renew_interval = options.lease / _LEASES_PER_RENEWAL
        self._watch: Watch | None = None
        #: Broadcast messages that wait to be claimed, and those that are claimed.
        self._broadcasts: deque[Delivery] = deque()
        self._heard: dict[int, Delivery] = {}

    # -- life -------------------------------------------------------------------------------------

    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        self._topics = Topics(self._options, self._link.address.db)
        self._fanout = {pattern: queue.name for queue in queues if (pattern := self._topics.pattern(queue)) is not None}
        names = [queue.name for queue in queues if queue.name not in self._fanout.values()]
        self._claims = Claims(self._link, self._keys, self._options, names)
        self._routes = Routes(self._link, self._keys)
        self._abandoned = Abandoned(self._link, self._claims, self._routes, self._options)
        self._queues = list(queues)
        self._bell = bell = Bell(self._bell_link, list(self._fanout))
        self._watch = watch = Watch(self._link, bell, self._claims, loop, on_ready, self._broadcast)
        bell.open()
        self._link.ask(*self._routes.declare(queues), self._claims.renew())
        watch.start()

    def add_queue(self, queue: Any) -> None:
        self._link.ask(*self._routes.declare([queue]))
        pattern = self._topics.pattern(queue)
        if pattern is None:
            self._claims.watch(queue.name)
        elif pattern not in self._fanout:
            self._bell.listen_to(pattern)
            self._fanout[pattern] = queue.name
        self._queues.append(queue)
        if self._watch is not None:
            self._watch.ready_soon()

    def remove_queue(self, name: str) -> None:
        for pattern in [pattern for pattern, queue in self._fanout.items() if queue == name]:
            self._bell.listen_no_more(pattern)
            del self._fanout[pattern]
        self._claims.watch_no_more(name)
        self._queues = [queue for queue in self._queues if queue.name != name]

    def _connected(self, link: Link) -> None:
        """What is true of each connection: its name, by which it is known to live, and that it is told of changes."""
        if self._watch is None:
            return
        name = self._claims.owner
        link.ask(("CLIENT", "SETNAME", f"{self._client_name}:{name}" if self._client_name else name))
        self._watch.listen_for(link)

    def close(self) -> None:
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.stop()
        try:
            self._claims.release()
        except OperationalError as error:
            logger.warning(
                "claimed messages could not be given back now, and come back %g s after this worker's end: %s",
                self._options.lease,
                error,
            )
        self._link.close()
        self._keeper_link.close()

    # -- messages ---------------------------------------------------------------------------------

    def claim(self, limit: int) -> list[Delivery]:
        return self.turn(Settlements(), limit)

    def settle(self, batch: Settlements) -> None:
        if self._heard:
            self._settle_broadcasts(batch)
        self._claims.settle(batch)

    def turn(self, batch: Settlements, limit: int) -> list[Delivery]:
        watch = self._watch
        if watch is None:
            return []
        if self._heard:
            self._settle_broadcasts(batch)
        found: list[Delivery] = []
        while self._broadcasts and len(found) < limit:
            delivery = self._broadcasts.popleft()
            self._heard[delivery.tag] = delivery
            found.append(delivery)
        limit = limit - len(found) if self._claims.queues else 0
        also = watch.look() if limit > 0 else ()
        claimed, answers = self._claims.turn(batch, limit, also)
        if limit > 0:
            watch.claimed(len(claimed), limit, answers)
        return found + claimed if found else claimed

    def lost(self) -> list[Delivery]:
        return self._abandoned.look()

    def renew(self) -> None:
        self._link.ask(
            self._claims.renew(),
            *(self._routes.keep() if self._routes.expiring else ()),
            *self._routes.declare(queue for queue in self._queues if queue.name in self._routes.expiring),
        )
        watch = self._watch
        if watch is not None:
            watch.check()
            if self._claims.look_for_late():
                watch.ready_soon()

    def keeper(self) -> Callable[[], None] | None:
        link, claims = self._keeper_link, self._claims

        def keep() -> None:
            link.ask(claims.renew())

        return keep

    def depth(self, queue: str) -> int | None:
        lengths: list[int] = self._link.ask(*[("LLEN", name) for name in self._keys.lists(queue)])
        return sum(lengths)

    # -- broadcasts -------------------------------------------------------------------------------

    def _broadcast(self, pattern: bytes, payload: bytes) -> None:
        queue = self._fanout.get(pattern.decode())
        if queue is None:
            return
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError):
            logger.error("a broadcast message for queue %r cannot be read and is dropped: %.200r", queue, payload)
            return
        self._broadcasts.append(opened(self._claims.numbers(1), queue, message))

    def _settle_broadcasts(self, batch: Settlements) -> None:
        for tag in (*batch.ack, *batch.reject):
            self._heard.pop(tag, None)
        again = [delivery for tag in (*batch.requeue, *batch.redeliver) if (delivery := self._heard.pop(tag, None))]
        self._broadcasts.extendleft(reversed(again))
        if again and self._watch is not None:
            self._watch.ready_soon()
