"""A set of what was revoked, which forgets the oldest of too many, and each after a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Revoked(Generic[T]):
    """Keeps `most` members, each for `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        #: Member to the time, in seconds since the epoch, at which it was added; the oldest first.
        self._since: OrderedDict[T, float] = OrderedDict()

    def add(self, member: T, since: float | None = None) -> None:
        """Add it as of now, or as of `since`."""
        self._since.pop(member, None)
        self._since[member] = time.time() if since is None else since
        if len(self._since) > self.most:
            self.purge()
            if len(self._since) > self.most:
                self._since.popitem(last=False)

    def discard(self, member: T) -> None:
        """Forget it."""
        self._since.pop(member, None)

    def purge(self) -> None:
        """Forget what has expired."""
        oldest = time.time() - self.seconds
        for member in [member for member, since in self._since.items() if since < oldest]:
            del self._since[member]

    def items(self) -> list[tuple[T, float]]:
        """Members and the times at which they were added, of all that have not expired."""
        self.purge()
        return list(self._since.items())

    def __contains__(self, member: T) -> bool:
        since = self._since.get(member)
        return since is not None and since >= time.time() - self.seconds

    def __iter__(self) -> Iterator[T]:
        return iter([member for member, _ in self.items()])

    def __len__(self) -> int:
        return len(self._since)
