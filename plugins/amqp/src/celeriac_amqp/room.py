"""How much is sent to a lane in which nothing may wait: begun tasks count, though the server has their acks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celeriac_amqp.consumers import Consumers
    from celeriac_amqp.unsettled import Unsettled


class Room:
    """Of one channel.  Methods ask the server, and raise what a closed connection or channel raises."""

    def __init__(self, consumers: Consumers, unsettled: Unsettled) -> None:
        self._consumers = consumers
        self._unsettled = unsettled
        #: Where each consumer has its own limit: that, and the last message before it.
        self._limit = 0
        self._start = 0

    def before_acks(self, limit: int, begun: int) -> None:
        """Acks follow, after which `begun` tasks are begun: they must not make room."""
        consumers = self._consumers
        if not consumers.are_together:
            # They would make room in consumers of which nobody can lower the limit.
            consumers.end()
        elif begun < limit:
            consumers.limit(limit - begun)
        else:
            consumers.end()

    def fit(self, limit: int, begun: int) -> None:
        """Be sent so many that, with `begun` tasks, there are `limit` in all."""
        consumers = self._consumers
        if consumers.are_together:
            if begun < limit:
                consumers.limit(limit - begun)
                self._begin()
            else:
                consumers.end()
            return
        room = limit - begun - len(self._unsettled)
        yet_to_come = self._limit - self._unsettled.count_after(self._start) if consumers.are_on else 0
        if room == yet_to_come or (room <= 0 and yet_to_come <= 0):
            return
        consumers.end()
        if room > 0:
            self._limit, self._start = room, self._unsettled.last
            consumers.limit(room)
            self._begin()

    def _begin(self) -> None:
        if not self._consumers.are_on:
            self._consumers.begin_all()
