"""Which of the messages of a batch the server has taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Returned(NamedTuple):
    """A message that no queue was bound for, as it came back."""

    exchange: str
    routing_key: str
    correlation_id: Any
    reason: str


class Confirms:
    """Counts the messages of one channel in confirm mode, from 1, and hears what becomes of each."""

    def __init__(self) -> None:
        self._last = 0
        self._lowest = 1
        #: Those of which nothing has been heard.
        self.waiting: set[int] = set()
        #: Those that the server has refused.
        self.refused: set[int] = set()
        self.returned: list[Returned] = []

    def sent(self, count: int) -> int:
        """So many more are on their way; the number of the first."""
        first = self._last + 1
        self._last += count
        self.waiting.update(range(first, self._last + 1))
        return first

    def taken(self, tag: int, multiple: bool) -> None:
        """``basic.ack``."""
        self._heard(tag, multiple)

    def not_taken(self, tag: int, multiple: bool) -> None:
        """``basic.nack``."""
        self.refused.update(self._heard(tag, multiple))

    def came_back(self, error: Exception, exchange: str, routing_key: str, message: Any) -> None:
        """``basic.return``; an ack follows, as the server is done with the message."""
        properties = message.properties
        reason = getattr(error, "reply_text", None) or str(error)
        self.returned.append(Returned(exchange, routing_key, properties.get("correlation_id"), reason))

    def _heard(self, tag: int, multiple: bool) -> Sequence[int]:
        if not multiple:
            self.waiting.discard(tag)
            return (tag,)
        heard = [number for number in range(self._lowest, tag + 1) if number in self.waiting]
        self.waiting.difference_update(heard)
        self._lowest = max(self._lowest, tag + 1)
        return heard

    def forget(self) -> None:
        """The batch is over."""
        self.refused.clear()
        self.returned.clear()
