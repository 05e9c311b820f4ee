"""The names of all keys: Celery's, and ours beside them."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from json import dumps
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from celeriac_redis.options import BrokerOptions

_LOWEST: Final = 0
_HIGHEST: Final = 9


class Keys:
    """The keys of one broker, ``global_keyprefix`` included."""

    def __init__(self, options: BrokerOptions) -> None:
        prefix = options.global_keyprefix
        self.prefix = prefix
        self._separator = options.sep
        self._steps = options.priority_steps
        # Celery's: what has been taken and not acknowledged, and since when
        self.unacked = prefix + options.unacked_key
        self.unacked_index = prefix + options.unacked_index_key
        self.unacked_mutex = prefix + options.unacked_mutex_key
        # ours: when each owner was last heard of; when each message that is held back is due
        self.owners = f"{prefix}celeriac.owners"
        self.eta = f"{prefix}celeriac.eta"

    def begun(self, owner: str) -> str:
        """The set of the numbers of what an owner has begun and not yet settled."""
        return f"{self.prefix}celeriac.begun.{owner}"

    def once(self, message_id: str) -> str:
        """What is there while a message with that id is not taken again."""
        return f"{self.prefix}celeriac.once.{message_id}"

    def binding(self, exchange: str) -> str:
        """The set of the bindings of an exchange."""
        return f"{self.prefix}_kombu.binding.{exchange}"

    def permanent(self, exchange: str) -> str:
        """The set of those of them whose queues never expire."""
        return f"{self.prefix}_kombu.binding_permanent.{exchange}"

    @property
    def binding_deadlines(self) -> str:
        """When the bindings of each exchange may be forgotten that has queues which expire."""
        return f"{self.prefix}_kombu.binding_deadlines"

    def lists(self, queue: str) -> list[str]:
        """The lists of a queue, most urgent first."""
        return [self._list(queue, step) for step in self._steps]

    def list_for(self, queue: str, priority: Any) -> str:
        """The list of a queue that takes messages of this priority: 0 is the most urgent."""
        if not priority:
            return self._list(queue, _LOWEST)
        try:
            wanted = min(max(int(priority), _LOWEST), _HIGHEST)
        except (TypeError, ValueError):
            wanted = _LOWEST
        return self._list(queue, self._steps[bisect(self._steps, wanted) - 1])

    def _list(self, queue: str, step: int) -> str:
        return f"{self.prefix}{queue}{self._separator}{step}" if step else f"{self.prefix}{queue}"

    def by_priority(self, queues: Iterable[str]) -> list[tuple[str, str]]:
        """All lists of the queues as (list, queue): those of the most urgent priority first."""
        names = list(queues)
        return [(self._list(queue, step), queue) for step in self._steps for queue in names]

    def member(self, routing_key: str, pattern: str | None, queue: str) -> str:
        """A binding as a member of the set of its exchange."""
        return self._separator.join((routing_key, pattern or "", queue))

    def members(self, found: Iterable[bytes]) -> list[tuple[str, str, str]]:
        """Routing key, pattern and queue of each member."""
        parts = (one.decode("utf-8", "replace").split(self._separator) for one in found)
        return [(each[0], each[1], each[2]) for each in parts if len(each) == 3]


def tail_of(queue: str) -> str:
    """How the note of a claim ends.

    A note is JSON, ``[message, exchange, routing key]``, and tells Celery where to restore the message to.  Ours names
    the default exchange and the queue that it came from, so that it goes there and nowhere else.
    """
    return f',"",{dumps(queue)}]'
