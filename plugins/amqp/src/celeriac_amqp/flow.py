"""How many messages are sent to a lane, and on which channel of its connection they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amqp.exceptions import NotAllowed

from celeriac_amqp.channels import MOST_CHANNELS
from celeriac_amqp.room import Room

if TYPE_CHECKING:
    from collections.abc import Sized

    from celeriac_amqp.consumers import Consumers
    from celeriac_amqp.intake import Intake


class Flow:
    """Of one lane, on one connection after the other.  Methods raise `OperationalError` unless they say otherwise."""

    def __init__(self, begun: Sized, is_strict: bool) -> None:
        """`begun`: messages that are settled and not forgotten; `is_strict`: they count for the limit."""
        self._begun = begun
        self._is_strict = is_strict
        #: Messages that may be open at once, 0 where there is no limit; and how many of them on the current channel.
        self.limit = 0
        self._share = 0
        self._is_on = True
        #: Channels that may be open at once.
        self._most_channels = MOST_CHANNELS
        self._intake: Intake | None = None
        self._consumers: Consumers | None = None
        #: Where nothing may wait here.
        self._room: Room | None = None

    def begin(self, intake: Intake, consumers: Consumers) -> None:
        """Be sent messages on a new connection.  Raises what a closed connection or channel raises."""
        self._intake, self._consumers = intake, consumers
        self._room = Room(consumers, intake.channels.current.unsettled) if self._is_strict else None
        self.fit()

    def drop(self) -> None:
        """The connection is of no more use.  Raises nothing."""
        self._intake = self._consumers = self._room = None

    def stop(self) -> None:
        """Be sent no more, on no connection; and others may have what nobody has claimed."""
        self._is_on = False
        intake, consumers = self._intake, self._consumers
        if intake is not None and consumers is not None and not intake.is_failing:
            intake.ask(consumers.end)
            intake.give_back(list(intake.arrivals))

    def fit(self) -> None:
        """Be sent what the limit allows.  Raises what a closed connection or channel raises."""
        intake, consumers = self._intake, self._consumers
        if intake is None or consumers is None or not self._is_on:
            return
        share = self._share = self.limit - intake.channels.held_back if self.limit else 0
        if self._room is not None and self.limit:
            self._room.fit(share, len(self._begun))
        elif self.limit and share <= 0:
            consumers.pause()
        else:
            consumers.limit(share)
            consumers.begin_all()

    def set(self, limit: int) -> None:
        """Have another limit."""
        if limit != self.limit:
            self.limit = limit
            if self._intake is not None and not self._intake.is_failing:
                self._intake.ask(self.fit)

    def before_begin(self, count: int) -> None:
        """So many tasks begin: their acks, which follow, make no room where nothing may wait here."""
        intake, room = self._intake, self._room
        if room is not None and intake is not None and self._is_limited(intake):
            share, begun = self.limit - intake.channels.held_back, len(self._begun) + count
            intake.ask(lambda: room.before_acks(share, begun))

    def after_settling(self) -> None:
        """Where nothing may wait here: be sent what there is room for now, and give back what there is none for."""
        intake, consumers = self._intake, self._consumers
        if self._room is None or consumers is None or intake is None or not self._is_limited(intake):
            return
        intake.ask(self.fit)
        excess = len(self._begun) + intake.channels.unsettled - self.limit
        if excess > 0 and intake.arrivals:
            # Of several quorum queues, each of which sends as if there were no other.
            intake.give_back(consumers.may_go_back(intake.arrivals)[-excess:])

    def _is_limited(self, intake: Intake) -> bool:
        return self._is_on and bool(self.limit) and not intake.is_failing

    def before_claim(self) -> None:
        """Go on with a fresh channel where this one holds too much, and be sent more where what it held has gone."""
        intake, consumers = self._intake, self._consumers
        if intake is None or consumers is None or intake.is_failing or not self._is_on:
            return
        channels, arrivals = intake.channels, intake.arrivals
        current = channels.current.unsettled
        if current.is_strained(len(arrivals)):
            if len(channels) < self._most_channels and channels.have_room and consumers.may_move:
                intake.ask(lambda: self._move(intake, consumers))
        elif len(channels) > 1 and not arrivals and self._share <= len(current):
            grown = bool(self.limit) and self.limit - channels.held_back > self._share
            if grown:
                intake.ask(self.fit)

    def _move(self, intake: Intake, consumers: Consumers) -> None:
        channels = intake.channels
        try:
            channel = channels.begin()
        except NotAllowed:
            # A user may have so many and no more: that has cost the connection, but will not cost the next.
            self._most_channels = len(channels)
            raise
        if self._is_strict:
            self._room = Room(consumers, channels.current.unsettled)
        consumers.move(channel, self.fit)
