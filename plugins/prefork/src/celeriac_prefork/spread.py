"""Which child gets which job: idle ones first, and nothing waits behind a long task that another child could run."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from celeriac_prefork.child import Child
from celeriac_prefork.parcel import Parcel

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


def take_for(idle: Child, children: Iterable[Child]) -> list[Parcel]:
    """Half of what the busiest of the others has not begun, taken back from it, for a child that has nothing to do.

    Half, so that the next idle one finds something too; the last one is taken as well.
    """
    laden = [child for child in children if child is not idle and child.not_begun > 0]
    for child in sorted(laden, key=_not_begun, reverse=True):
        taken = child.take_back((child.not_begun + 1) // 2)
        if taken:
            return taken
    return []


def _not_begun(child: Child) -> int:
    return child.not_begun
