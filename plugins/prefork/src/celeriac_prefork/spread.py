"""Which child gets which job: idle ones first, and nothing waits behind a long task that another child could run."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from celeriac.pools.parcel import Parcel
from celeriac_prefork.child import Child

#: Jobs that one child is given at most, the running one included.
HAND_AHEAD: Final = 64

Send = Callable[[Child, Parcel], bool]


def spread(waiting: deque[Parcel], children: Iterable[Child], send: Send) -> None:
    """Hand `waiting` over, oldest first, each to the child that has least to do; stops where all have enough."""
    # Of equals one whose executor is made comes first; the index keeps children from being compared.
    heap = [
        (len(child.assigned), not child.is_ready, index, child)
        for index, child in enumerate(children)
        if child.takes_jobs and not child.is_full and len(child.assigned) < HAND_AHEAD
    ]
    heapq.heapify(heap)
    while waiting and heap:
        load, is_new, index, child = heap[0]
        if not send(child, waiting[0]):
            heapq.heappop(heap)
            continue
        waiting.popleft()
        if load + 1 < HAND_AHEAD:
            heapq.heapreplace(heap, (load + 1, is_new, index, child))
        else:
            heapq.heappop(heap)


def most_laden(children: Iterable[Child]) -> list[Child]:
    """The children that have jobs which they cannot have begun, that with most of them first."""
    laden = [child for child in children if child.not_begun > 0]
    laden.sort(key=_not_begun, reverse=True)
    return laden


def _not_begun(child: Child) -> int:
    return child.not_begun
