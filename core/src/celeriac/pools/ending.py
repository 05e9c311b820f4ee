"""Seeing children out."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final

from celeriac.pools import process

if TYPE_CHECKING:
    from celeriac.pools.child import ChildProcess

_POLL_SECONDS: Final = 0.005


def see_out(children: Sequence[ChildProcess], timeout: float) -> list[ChildProcess]:
    """Wait until the processes have ended by themselves, reading what they still say so that none waits for us.

    Returns those that still run after `timeout` seconds.
    """
    deadline = monotonic() + timeout
    left = list(children)
    while left:
        left = [child for child in left if process.reap(child.pid, block=False) is None]
        remaining = deadline - monotonic()
        if not left or remaining <= 0:
            break
        _wait_for_any(left, remaining)
    return left


def end_at_once(children: Sequence[ChildProcess]) -> None:
    """Kill the processes and wait until they are gone."""
    for child in children:
        process.kill(child.pid)
    for child in children:
        process.reap(child.pid, block=True)


def _wait_for_any(children: Sequence[ChildProcess], timeout: float) -> None:
    poller = select.poll()
    talking = {child.fileno(): child for child in children if not child.is_silent}
    for descriptor in talking:
        poller.register(descriptor, select.POLLIN)
    for child in children:
        if child.watch is not None:
            poller.register(child.watch, select.POLLIN)
        else:
            timeout = min(timeout, _POLL_SECONDS)
    for descriptor, _ in poller.poll(math.ceil(timeout * 1000)):
        if (speaker := talking.get(descriptor)) is not None:
            speaker.is_silent = not speaker.read()[1]
