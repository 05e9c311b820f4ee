"""The channels of a connection: the one on which messages come, and earlier ones of which messages are still held.

For each ack RabbitMQ looks through what the channel was sent and has not acked, oldest first.  Where much of that waits
for its time, it is left with its channel, and others come on a fresh one.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from celeriac_amqp.arrivals import Arrival
from celeriac_amqp.content import tag_in
from celeriac_amqp.frames import settling
from celeriac_amqp.unsettled import Unsettled

if TYPE_CHECKING:
    from celeriac_amqp.wire import Wire

#: Channels that a lane has at most, each a few processes in the server.
MOST_CHANNELS: Final = 64
#: A tag of a lane is the number of its channel, shifted by so many bits, and the delivery tag.
_BITS: Final = 40


class NumberedChannel:
    """One of them; no other channel of its lane, on whichever connection, has its number."""

    __slots__ = ("_base", "_on_arrival", "channel", "number", "unsettled")

    def __init__(self, wire: Wire, number: int, on_arrival: Callable[[Arrival], None]) -> None:
        """Opens it.  Raises what a closed connection raises."""
        self._on_arrival = on_arrival
        self.number = number
        #: What is added to a delivery tag.
        self._base = number << _BITS
        self.unsettled = Unsettled()
        channel = self.channel = wire.channel()
        channel.auto_decode = False
        wire.takers[channel.channel_id] = self._take

    def _take(self, arguments: bytes, header: bytes, body: bytes) -> None:
        self.unsettled.delivered(tag_in(arguments))
        self._on_arrival(Arrival(arguments, header, body, self._base))

    def settling(self, acked: Iterable[int], rejected: Iterable[int] = (), requeued: Iterable[int] = ()) -> bytes:
        """The frames that tell of tags of this channel; others are ignored."""
        base = self._base
        frames = self.unsettled.settle(*([tag - base for tag in tags] for tags in (acked, rejected, requeued)))
        return settling(self.channel.channel_id, frames) if frames else b""


class Channels:
    """Of one connection, with which they all end."""

    def __init__(self, wire: Wire, numbers: Iterator[int], on_arrival: Callable[[Arrival], None]) -> None:
        """Opens the first; `numbers` are those of channels to come.  Raises what a closed connection raises."""
        self._wire = wire
        self._numbers = numbers
        self._on_arrival = on_arrival
        #: The one on which messages come.
        self.current = NumberedChannel(wire, next(numbers), on_arrival)
        #: All that are open, by number.
        self._open = {self.current.number: self.current}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def have_room(self) -> bool:
        """Whether the server allows for one more, beside one to ask on."""
        allowed: int = self._wire.channel_max
        return len(self) + 1 < allowed

    @property
    def unsettled(self) -> int:
        """How many messages nothing was said of, on all of them."""
        return sum(len(each.unsettled) for each in self._open.values())

    @property
    def held_back(self) -> int:
        """How many those are on channels that were left."""
        return self.unsettled - len(self.current.unsettled) if len(self) > 1 else 0

    def begin(self) -> Any:
        """Leave the current channel for a fresh one, which is given.  Raises what a closed connection raises."""
        fresh = self.current = NumberedChannel(self._wire, next(self._numbers), self._on_arrival)
        self._open[fresh.number] = fresh
        return fresh.channel

    def settling(self, acked: Iterable[int], rejected: Iterable[int] = (), requeued: Iterable[int] = ()) -> bytes:
        """The frames that tell of these tags, each on its channel; unknown ones are ignored."""
        if len(self) == 1:
            return self.current.settling(acked, rejected, requeued)
        told: defaultdict[int, tuple[list[int], list[int], list[int]]] = defaultdict(lambda: ([], [], []))
        for which, tags in enumerate((acked, rejected, requeued)):
            for tag in tags:
                told[tag >> _BITS][which].append(tag)
        return b"".join([self._open[number].settling(*tags) for number, tags in told.items() if number in self._open])

    def _empty(self) -> list[NumberedChannel]:
        return [each for each in self._open.values() if not len(each.unsettled) and each is not self.current]

    @property
    def are_to_close(self) -> bool:
        """Whether there is one that was left and of which all is settled."""
        return len(self) > 1 and bool(self._empty())

    def close_empty(self) -> None:
        """Close those.  Raises what a closed connection raises."""
        for each in self._empty():
            del self._open[each.number]
            channel_id = each.channel.channel_id
            each.channel.close()
            del self._wire.takers[channel_id]
