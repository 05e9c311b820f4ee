"""One queue in memory: its messages in the order in which they are to be delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final

from celeriac.protocol import wall

#: AMQP's largest priority; what is beyond counts as this.
MAX_PRIORITY: Final = 255

#: Minus the priority, then the age: the smallest is delivered first.
Rank = tuple[int, int]


@dataclass(slots=True, eq=False)
class Entry:
    """One message in one queue.

    `rank` is its place, which it keeps when it is given back.  `due` is the wall-clock second before which it is
    held back, None for now.  `deliveries` counts how often it was handed out; `sent` is when it came, wall clock.
    """

    queue: str
    rank: Rank
    body: bytes
    content_type: str
    content_encoding: str
    headers: dict[str, Any]
    properties: dict[str, Any]
    exchange: str
    routing_key: str
    due: float | None = None
    deliveries: int = 0
    sent: float = field(default_factory=lambda: wall.time())  # noqa: PLW0108  # as it is then


@dataclass(slots=True, eq=False)
class MessageQueue:
    """Ready entries in a heap by rank, those held back in a heap by due time.  Not thread-safe: the store is."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    auto_delete: bool = False
    #: Kombu consumers that listen now.
    consumers: int = 0
    _ready: list[tuple[Rank, Entry]] = field(default_factory=list)
    _held: list[tuple[float, Rank, Entry]] = field(default_factory=list)

    def put(self, entry: Entry, now: float) -> None:
        """Add an entry, new or given back."""
        if entry.due is not None and entry.due > now:
            heappush(self._held, (entry.due, entry.rank, entry))
        else:
            heappush(self._ready, (entry.rank, entry))

    def first(self, now: float) -> Rank | None:
        """The rank of the next entry, None where none is ready."""
        self._release(now)
        return self._ready[0][0] if self._ready else None

    def pop(self) -> Entry:
        """Take out what `first` spoke of."""
        return heappop(self._ready)[1]

    def next_due(self, now: float) -> float | None:
        """When the next entry that is held back will be ready; later than `now`."""
        self._release(now)
        return self._held[0][0] if self._held else None

    def depth(self, now: float) -> int:
        """How many entries are ready."""
        self._release(now)
        return len(self._ready)

    def held(self, now: float) -> int:
        """How many entries wait for their time."""
        self._release(now)
        return len(self._held)

    def oldest(self) -> float | None:
        """When the oldest ready entry was sent."""
        return min((entry.sent for _, entry in self._ready), default=None)

    def clear(self) -> int:
        """Drop every entry and return how many there were."""
        count = len(self._ready) + len(self._held)
        self._ready.clear()
        self._held.clear()
        return count

    def _release(self, now: float) -> None:
        while self._held and self._held[0][0] <= now:
            _, rank, entry = heappop(self._held)
            heappush(self._ready, (rank, entry))


def priority_of(properties: Mapping[str, Any]) -> int:
    """The priority in a message's properties; 0 where there is none or it is no number."""
    try:
        priority = int(properties.get("priority") or 0)
    except (TypeError, ValueError):
        return 0
    return min(max(priority, 0), MAX_PRIORITY)
