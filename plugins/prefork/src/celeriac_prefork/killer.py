"""The end of a child for the sake of one job, which must hit no other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from celeriac.pools import process

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop
    from celeriac.pools.kill import Kill
    from celeriac_prefork.child import Child

logger = logging.getLogger(__name__)

#: Seconds until the child is looked at again, while it has jobs besides the one that is meant.
_PAUSE: Final = 0.01
#: Seconds for which the results of those may take to be stored.
_PATIENCE: Final = 10.0


class Killer:
    """Sends the signal as soon as the child runs that job and has no other that is yet to be reported.

    The caller has taken back what the child has not received.  What it has run before is on its way to be stored and
    reported, which takes no longer than the store does.
    """

    def __init__(self, loop: EventLoop, on_spared: Callable[[Child], None]) -> None:
        self._loop = loop
        #: Called where the job has ended by itself before the signal was sent.
        self._on_spared = on_spared

    def kill(self, child: Child, kill: Kill) -> None:
        """End `child`; a second call for the same child changes how, unless the signal has been sent."""
        if child.is_killed and kill.signum != process.SIGKILL:
            return
        is_new = child.kill is None or child.is_killed
        child.kill = kill
        if is_new:
            self._try(child, monotonic() + _PATIENCE)

    def _try(self, child: Child, deadline: float) -> None:
        kill = child.kill
        if kill is None or child.is_silent or child.pid == 0:
            return
        if kill.number not in child.assigned:
            child.kill = None
            self._on_spared(child)
            return
        is_late = monotonic() >= deadline
        if child.board.read()[0] == kill.number and (is_late or len(child.assigned) == 1):
            if is_late:
                logger.error("Child process %d ends although results of its tasks are not stored yet.", child.pid)
            child.is_killed = True
            process.kill(child.pid, kill.signum)
            return
        self._loop.call_later(_PAUSE, self._try, child, deadline)
