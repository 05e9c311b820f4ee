"""The delivery tags of a channel of which the broker has not been told yet what became of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from celeriac_amqp.frames import Frame, Verb

#: Acks of single messages after which it is looked at how many older ones are open.
_LOOKS: Final = 64
#: So many of them slow the broker down.
_MANY_OLDER: Final = 256
#: And so many that came one after the other, while nothing was acked.
_MANY_HELD: Final = 1024


class Unsettled:
    """Says as much as it can in one frame: an ack may be of all messages up to a tag."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        #: Below it nothing is open.
        self._lowest = 1
        #: The last tag that was delivered.
        self.last = 0
        #: The last tag when something was acked.
        self._last_at_ack = 0
        #: Acks of single messages since it was looked at what they cost, and one of these messages.
        self._singles = 0
        self._single = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, tag: int) -> bool:
        return tag in self._open

    def count_after(self, tag: int) -> int:
        """How many of those are open that came after that tag."""
        return sum(each > tag for each in self._open)

    def is_strained(self, unclaimed: int) -> bool:
        """Whether so much stays open that to tell of later messages is slow; the `unclaimed` ones do not count.

        The broker looks through what is open, oldest first, for each message that an ack names.
        """
        if self._singles >= _LOOKS:
            self._singles = 0
            if sum(tag < self._single for tag in self._open) >= _MANY_OLDER:
                return True
        return self.last - self._last_at_ack >= _MANY_HELD and len(self._open) - unclaimed >= _MANY_HELD

    def delivered(self, tag: int) -> None:
        """The broker has sent a message under that tag; tags only grow."""
        self._open.add(tag)
        self.last = tag

    def settle(
        self, acked: Iterable[int], rejected: Collection[int] = (), requeued: Collection[int] = ()
    ) -> list[Frame]:
        """The frames by which the broker is told, in the order in which they must be sent; unknown tags are ignored."""
        frames: list[Frame] = []
        for verb, tags in ((Verb.REJECT, rejected), (Verb.REQUEUE, requeued)):
            for tag in tags:
                if tag in self._open:
                    self._open.discard(tag)
                    frames.append(Frame(verb, tag))
        wanted = self._open.intersection(acked)
        if not wanted:
            return frames
        self._last_at_ack = self.last
        run, count = self._run(wanted)
        if count > 1:
            frames.append(Frame(Verb.ACK, run, multiple=True))
            self._open.difference_update([tag for tag in wanted if tag <= run])
            wanted = {tag for tag in wanted if tag > run}
        if wanted:
            frames += [Frame(Verb.ACK, tag) for tag in sorted(wanted)]
            self._open -= wanted
            self._singles += len(wanted)
            self._single = frames[-1].tag
        return frames

    def _run(self, wanted: set[int]) -> tuple[int, int]:
        """Up to which tag all that is open is in `wanted`, and how many that are."""
        still_open, tag = self._open, self._lowest
        last_wanted = count = 0
        lowest = None
        while tag <= self.last:
            if tag in still_open:
                if lowest is None:
                    lowest = tag
                if tag not in wanted:
                    break
                last_wanted = tag
                count += 1
                if count == len(wanted):
                    break
            tag += 1
        self._lowest = tag if count > 1 else (lowest or tag)
        return last_wanted, count
