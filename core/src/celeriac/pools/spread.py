"""Which child gets which job: idle ones first, and nothing waits behind a long task that another child could run."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from celeriac.pools.child import ChildProcess

if TYPE_CHECKING:
    from celeriac.pools.parcel import Parcel

C = TypeVar("C", bound=ChildProcess)


def spread(waiting: deque[Parcel], children: Iterable[C], send: Callable[[C, Parcel], bool], most: int) -> None:
    """Hand `waiting` over, oldest first, each to the child that has least to do; stops where all have `most`."""
    # Of equals one whose executor is made comes first; the index keeps children from being compared.
    heap = [
        (len(child.assigned), not child.is_ready, index, child)
        for index, child in enumerate(children)
        if child.takes_jobs and not child.is_full and len(child.assigned) < most
    ]
    heapq.heapify(heap)
    while waiting and heap:
        load, is_new, index, child = heap[0]
        if not send(child, waiting[0]):
            heapq.heappop(heap)
            continue
        waiting.popleft()
        if load + 1 < most:
            heapq.heapreplace(heap, (load + 1, is_new, index, child))
        else:
            heapq.heappop(heap)
