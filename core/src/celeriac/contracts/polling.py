"""Waiting until descriptors are readable, also where a library of greenlets has taken `select.poll` away."""

from __future__ import annotations

import select
from typing import Final, Protocol

#: `select.POLLIN`, which has this value everywhere.
_READABLE: Final = 1


class Poll(Protocol):
    """What is used here of the object that `select.poll` gives."""

    def register(self, fd: int, eventmask: int, /) -> object:
        """Watch the descriptor."""

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """The descriptors that are ready, each with what it is ready for, within `timeout` milliseconds."""


def reading(*descriptors: int) -> Poll:
    """A poll that tells which of these are readable."""
    poll: Poll = select.poll() if hasattr(select, "poll") else _SelectPoll()
    for descriptor in descriptors:
        poll.register(descriptor, _READABLE)
    return poll


class _SelectPoll:
    """The same by `select.select`, which eventlet replaces by one that lets others run."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def register(self, fd: int, eventmask: int, /) -> object:
        self._descriptors.append(fd)
        return None

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        ready, _, _ = select.select(self._descriptors, [], [], None if timeout is None else timeout / 1000)
        return [(descriptor, _READABLE) for descriptor in ready]
