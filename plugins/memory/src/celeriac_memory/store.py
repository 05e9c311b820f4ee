"""The messages of one in-memory broker: what all its connections, lanes and threads share."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from itertools import count
from typing import Any, Final, Protocol
from weakref import WeakSet

from kombu.transport.virtual import BrokerState

from celeriac.contracts import QueueFigures
from celeriac.protocol import wall
from celeriac_memory.ownership import Owned, broker_at
from celeriac_memory.queues import Entry, MessageQueue, Rank, priority_of


class Holder(Protocol):
    """Who takes entries out and has not settled all of them: a lane, or a channel of Kombu's."""

    def held(self) -> Iterable[Entry]:
        """Those entries; called from any thread."""


#: Called, from whichever thread, after something became claimable in one of the queues it was registered for.
Listener = Callable[[], None]


class MessageStore(Owned):
    """Queues by name, exchanges and bindings, and who wants to hear of new messages.

    Thread-safe: everything happens under `lock`, which may be held around several calls that belong together.
    """

    def __init__(self, address: str) -> None:
        super().__init__(broker_at(address))
        self.lock = threading.RLock()
        #: Exchanges and bindings, in Kombu's own form.
        self.topology = BrokerState()
        self._queues: dict[str, MessageQueue] = {}
        self._ages = count()
        self._listeners: dict[Listener, Collection[str] | None] = {}
        self._lost: list[Entry] = []
        #: Until when a message with that id is not taken again, the earliest first: seconds of the monotonic clock.
        self._once: dict[str, float] = {}
        #: Asked only when somebody wants figures, so that taking and settling count nothing.
        self.holders: WeakSet[Holder] = WeakSet()

    # -- queues -------------------------------------------------------------------------------------------------------

    def declare(self, name: str, arguments: dict[str, Any] | None = None, auto_delete: bool = False) -> None:
        """Make the queue, unless it is there."""
        self.check_owner()
        with self.lock:
            if name not in self._queues:
                self._queues[name] = MessageQueue(arguments or {}, auto_delete)

    def find(self, name: str) -> MessageQueue | None:
        """The queue of that name; to be used under `lock`."""
        self.check_owner()
        return self._queues.get(name)

    def delete(self, name: str) -> None:
        """Drop the queue and what is in it; bindings are the channel's business."""
        self.check_owner()
        with self.lock:
            self._queues.pop(name, None)

    def purge(self, name: str) -> int:
        """Drop every message that is not claimed, held back or not, and return how many there were."""
        self.check_owner()
        with self.lock:
            queue = self._queues.get(name)
            return queue.clear() if queue else 0

    def depth(self, name: str) -> int:
        """How many messages are ready."""
        self.check_owner()
        with self.lock:
            queue = self._queues.get(name)
            return queue.depth(wall.time()) if queue else 0

    def figures(self, names: Collection[str]) -> dict[str, QueueFigures]:
        """What is in those of the queues that are there."""
        self.check_owner()
        with self.lock:
            now = wall.time()
            queues = {name: queue for name in names if (queue := self._queues.get(name)) is not None}
            taken = Counter(entry.queue for holder in [*self.holders] for entry in holder.held())
            taken.update(entry.queue for entry in self._lost)
            found = {}
            for name, queue in queues.items():
                ready, oldest = queue.depth(now), queue.oldest()
                age = None if oldest is None else max(0.0, now - oldest)
                due = None if (moment := queue.next_due(now)) is None else moment - now
                found[name] = QueueFigures(ready, queue.held(now), taken[name], age, queue.consumers, due)
            return found

    # -- messages -----------------------------------------------------------------------------------------------------

    def rank(self, properties: dict[str, Any]) -> Rank:
        """The place of a new message behind all others of its priority."""
        return -priority_of(properties), next(self._ages)

    def put(self, entries: Collection[Entry]) -> None:
        """Add all entries at once, new or given back.  A queue that is not there is made: a message is never lost."""
        self.check_owner()
        if not entries:
            return
        with self.lock:
            now = wall.time()
            for entry in entries:
                queue = self._queues.get(entry.queue)
                if queue is None:
                    queue = self._queues[entry.queue] = MessageQueue()
                queue.put(entry, now)
            self._announce({entry.queue for entry in entries})

    def take_once(self, message_id: str, seconds: float) -> bool:
        """Whether nobody has taken that id within so many seconds, which are the same for all ids."""
        with self.lock:
            now, taken = time.monotonic(), self._once
            while taken and taken[oldest := next(iter(taken))] <= now:
                del taken[oldest]
            if message_id in taken:
                return False
            taken[message_id] = now + seconds
            return True

    def take(self, names: Iterable[str], limit: int) -> list[Entry]:
        """Take up to `limit` ready entries out of the queues, best priority first, then oldest; counts a delivery."""
        self.check_owner()
        taken: list[Entry] = []
        with self.lock:
            now = wall.time()
            queues = [queue for name in names if (queue := self._queues.get(name)) is not None]
            while len(taken) < limit:
                ranked = [(rank, queue) for queue in queues if (rank := queue.first(now)) is not None]
                if not ranked:
                    break
                entry = min(ranked, key=_by_rank)[1].pop()
                entry.deliveries += 1
                taken.append(entry)
        return taken

    def give_back(self, entries: Collection[Entry], counted: bool) -> None:
        """Put taken entries back to their old places; not `counted`: as if they had never been taken."""
        if not counted:
            for entry in entries:
                entry.deliveries -= 1
        self.put(entries)

    def next_due(self, names: Iterable[str]) -> float | None:
        """The wall-clock second at which the next message that is held back will be ready, in the future."""
        self.check_owner()
        with self.lock:
            now = wall.time()
            queues = [queue for name in names if (queue := self._queues.get(name)) is not None]
            return min((due for queue in queues if (due := queue.next_due(now)) is not None), default=None)

    # -- begun messages whose consumer is gone ------------------------------------------------------------------------

    def leave(self, entries: Collection[Entry]) -> None:
        """Keep entries that were begun and never ended, for `take_lost`."""
        self.check_owner()
        with self.lock:
            self._lost.extend(entries)

    def take_lost(self, names: Collection[str]) -> list[Entry]:
        """The entries of these queues that were left, each handed out once."""
        self.check_owner()
        with self.lock:
            taken = [entry for entry in self._lost if entry.queue in names]
            self._lost = [entry for entry in self._lost if entry.queue not in names]
        return taken

    # -- wake-up ------------------------------------------------------------------------------------------------------

    def listen(self, listener: Listener, names: Collection[str] | None = None) -> None:
        """Call `listener` from now on whenever a message becomes claimable in these queues (None: in any).

        It is called under `lock`, so it must be quick and must not call back.
        """
        self.check_owner()
        with self.lock:
            self._listeners[listener] = names

    def forget(self, listener: Listener) -> None:
        """End `listen`; tolerates twice, and a forked child."""
        if self.is_here:
            with self.lock:
                self._listeners.pop(listener, None)

    def _announce(self, touched: set[str]) -> None:
        for listener, names in self._listeners.items():
            if names is None or not touched.isdisjoint(names):
                listener()


def _by_rank(ranked: tuple[Rank, MessageQueue]) -> Rank:
    return ranked[0]


_stores: Final[dict[str, MessageStore]] = {}


def store_at(address: str) -> MessageStore:
    """The store of that address, the same one for every caller in this process; lives as long as the process."""
    # setdefault is atomic: no lock that a forked child could find held for ever.
    return _stores.get(address) or _stores.setdefault(address, MessageStore(address))
