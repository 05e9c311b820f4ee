"""How much is sent to a lane in which nothing may wait: begun tasks count, though the server has their acks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celeriac_amqp.consumers import Consumers
    from celeriac_amqp.unsettled import Unsettled


class Room:
    """On one channel.  Methods ask the server, and raise what a closed connection or channel raises."""

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
            consumers.pause()
        elif begun < limit:
            consumers.limit(limit - begun)
        else:
            consumers.pause()

    def fit(self, limit: int, begun: int) -> None:
        """Be sent so many that, with `begun` tasks, there are `limit` in all."""
        consumers = self._consumers
        if consumers.are_together:
            if begun < limit:
                consumers.limit(limit - begun)
                consumers.begin_all()
            else:
                consumers.pause()
            return
        room = limit - begun - len(self._unsettled)
        yet_to_come = self._limit - self._unsettled.count_after(self._start) if consumers.are_on else 0
        if room == yet_to_come or (room <= 0 and yet_to_come <= 0):
            return
        consumers.pause()
        if room > 0:
            self._limit, self._start = room, self._unsettled.last
            consumers.limit(room)
            consumers.begin_all()
