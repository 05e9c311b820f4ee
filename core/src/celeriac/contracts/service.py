"""What a service must be: something that a worker runs beside its tasks, in a thread of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class Service(ABC):
    """A server, a watcher, a sender: whatever may wait, which a step in the thread of the worker's loop must not.

    It lives in the worker's main process; a child of the pool that is forked later has no such thread.
    """

    #: What logs and ``inspect stats`` call it.
    name: ClassVar[str]

    def prepare(self) -> None:
        """Called once, in the worker's own thread, before the first `start`; an error keeps the worker from starting.

        For what would be wrong for as long as the worker runs: an address that is none, or is taken.
        """

    @abstractmethod
    def start(self) -> None:
        """Do it, in the service's thread, until `stop` is called; may block.

        What it raises is logged, and after a pause, a longer one each time, it is called again.  If it returns by
        itself, the service is done.
        """

    def info(self) -> dict[str, Any]:
        """Facts for ``inspect stats``; called in the worker's own thread, must not block."""
        return {}

    @abstractmethod
    def stop(self) -> None:
        """Have `start` return soon.  Called in the worker's own thread, must not block.

        Called until `start` has returned, or five seconds have gone: it tolerates twice, never started, and a `start`
        that does not listen to it yet.
        """
