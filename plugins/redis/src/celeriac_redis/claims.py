"""What one consumer has claimed, and how it settles that.

A command whose answer was lost may be carried out later, even after it was sent again: each claim has a number that is
used once, so that whichever comes first finds the claim, and the others nothing.  The numbers of claims that such a
command may yet make are looked at until it cannot come any more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from redis.exceptions import RedisError

from celeriac.contracts import Delivery, Settlements
from celeriac_redis.clock import ServerClock
from celeriac_redis.envelope import (
    due_of,
    new_divider,
    opened,
    parse_joined,
    parse_note,
    priority_of,
    redelivered,
    runs_of,
    written,
)
from celeriac_redis.keys import Keys, tail_of
from celeriac_redis.scripts import Command, Script

if TYPE_CHECKING:
    from celeriac_redis.link import Link
    from celeriac_redis.options import BrokerOptions

_claim: Final = Script("claim")
_settle: Final = Script("settle")
_give_back: Final = Script("give_back")
_defer: Final = Script("defer")
_renew: Final = Script("renew")
_reread: Final = Script("reread")
_forget: Final = Script("forget")

#: More than that would keep the server from its other clients.
_MOST: Final = 2000
#: A message that is due sooner than this, in seconds, is not worth the way back.
_SOON: Final = 0.02
#: Seconds for which a command that was on its way when its connection broke may yet be carried out.
ON_ITS_WAY: Final = 120.0


class Place(NamedTuple):
    """Where a claimed message came from: its list, and the length of what follows it in its note."""

    list: str
    tail: int


class Claims:
    """All claims of one owner, by number; the tag that the server knows is ``<owner>.<number>``.

    Whatever happens to the connection, what has been claimed stays claimed, and settling may be repeated.
    Every method raises what the link raises.
    """

    def __init__(self, link: Link, keys: Keys, options: BrokerOptions, queues: Sequence[str]) -> None:
        self.link = link
        self.keys = keys
        # Names of more than 64 bytes keep the server from packing small sets, in which finding one name means reading
        # all: claiming costs it half.
        self.owner = f"celeriac-{token_hex(32)}"
        self.begun_key = keys.begun(self.owner)
        self.tails = {queue: tail_of(queue) for queue in queues}
        self._visibility_timeout = options.visibility_timeout
        self._in_order = options.queue_order_strategy != "round_robin"
        self._queues = deque(queues)
        self._next = 1
        self._divider = new_divider()
        self._open: dict[int, Place] = {}
        self._begun: set[int] = set()
        #: Claimed for all we know, by a command whose answer has not come.
        self._doubt: tuple[int, int] | None = None
        self._recovered: deque[Delivery] = deque()
        #: Numbers of claims that had not been made when that was looked at, and until when to look again.
        self._late: list[tuple[int, int, float]] = []
        #: Numbers of what may yet be put away by a command whose answer was lost.
        self._leaving: set[int] = set()
        #: Seconds on the server's clock: when the next message comes due, and what the time was then.
        self.next_due: tuple[float, float] | None = None
        self.clock = ServerClock()
        #: Whether the last claim left nothing that could have been taken.
        self.exhausted = False

    @property
    def queues(self) -> list[str]:
        """The queues from which messages are claimed."""
        return list(self._queues)

    def watch(self, queue: str) -> None:
        """Claim from this queue too."""
        self.tails[queue] = tail_of(queue)
        if queue not in self._queues:
            self._queues.append(queue)

    def watch_no_more(self, queue: str) -> None:
        """Claim no more from this queue; what is claimed is known by its tail as before."""
        if queue in self._queues:
            self._queues.remove(queue)

    # -- the turn ---------------------------------------------------------------------------------

    def turn(self, batch: Settlements, limit: int, also: Sequence[Command] = ()) -> tuple[list[Delivery], list[Any]]:
        """Settle the batch and claim up to `limit` messages in one round trip; the answers to `also`, too."""
        if self._doubt is not None:
            self._resolve_doubt()
        limit = min(limit, _MOST)
        if limit > 0 and self._recovered:
            if batch:
                self.settle(batch)
            return [self._recovered.popleft() for _ in range(min(limit, len(self._recovered)))], []
        settlement = self._settlement(batch) if batch else None
        commands = list(settlement.commands) if settlement else []
        lists: list[tuple[str, str]] = []
        first = self._next
        if limit > 0:
            lists = self._lists()
            commands.append(self._claim(lists, limit))
            self._doubt = (first, first + limit - 1)
        elif settlement is None:
            return [], []
        sent = time.monotonic()
        answers = self.link.try_all(*commands, *also)
        settled = len(commands) - bool(limit > 0)
        self._check(answers[:settled])
        if settlement:
            self._apply(settlement)
        if limit <= 0:
            return [], []
        self._check(answers[settled : settled + 1])
        self.clock.heard(float(answers[settled][0]), sent)
        found = self._received(answers[settled], lists, first, limit)
        return found, answers[settled + 1 :]

    def settle(self, batch: Settlements) -> None:
        """Settle the batch in one round trip (in two, where something is to be redelivered)."""
        settlement = self._settlement(batch)
        if settlement.commands:
            self.link.ask(*settlement.commands)
        self._apply(settlement)

    def _check(self, answers: Iterable[Any]) -> None:
        for answer in answers:
            if isinstance(answer, RedisError):
                raise self.link.refused(answer)

    # -- claiming ---------------------------------------------------------------------------------

    def _lists(self) -> list[tuple[str, str]]:
        if not self._in_order:
            self._queues.rotate(-1)
        return self.keys.by_priority(self._queues)

    def _claim(self, lists: list[tuple[str, str]], limit: int) -> Command:
        keys = self.keys
        return _claim(
            [keys.unacked, keys.unacked_index, keys.eta, keys.owners, *[name for name, _ in lists]],
            limit,
            self.owner,
            self._next,
            len(self._queues),
            int(self._in_order),
            self._divider,
            *[self.tails[queue] for _, queue in lists],
        )

    def _received(self, answer: list[Any], lists: list[tuple[str, str]], first: int, limit: int) -> list[Delivery]:
        _, next_due, counts, portions = answer
        # Not what the server said: its answer may have been on its way for as long as a task must not be late.
        self.next_due = (float(next_due), self.clock.now()) if next_due else None
        total = sum(counts)
        self.exhausted = total < limit
        if not total:
            self._doubt = None
            return []
        messages = parse_joined(portions, self._divider, total)
        if messages is None:
            self._resolve_doubt()
            return [self._recovered.popleft() for _ in range(len(self._recovered))]
        queues = [queue for (_, queue), count in zip(lists, counts, strict=True) for _ in range(count)]
        places = [
            place
            for (name, queue), count in zip(lists, counts, strict=True)
            for place in [Place(name, len(self.tails[queue]))] * count
        ]
        numbers = range(first, first + total)
        self._open.update(zip(numbers, places, strict=True))
        self._next = first + total
        self._doubt = None
        return self._not_before_time(list(zip(numbers, queues, messages, strict=True)))

    def _resolve_doubt(self) -> None:
        """Learn what was claimed, from the notes; it is handed out by the next turn."""
        assert self._doubt is not None
        first, last = self._doubt
        if not self._reread(first, last):
            self._late.append((first, last, time.monotonic() + ON_ITS_WAY))

    def _reread(self, first: int, last: int) -> bool:
        """Hold what is claimed under these numbers, to be handed out by the next turn; whether there is anything."""
        (answer,) = self.link.ask(_reread([self.keys.unacked], self.owner, first, last))
        asked = range(first, last + 1)
        for number in asked:
            self._open.pop(number, None)
        found = [(number, *self._noted(number, note)) for number, note in zip(answer[::2], answer[1::2], strict=True)]
        self._leaving.difference_update(set(asked).difference(number for number, _, _ in found))
        self._next = max(self._next, last + 1)
        self._doubt = None
        self._recovered.extend(self._not_before_time(found))
        return bool(found)

    def look_for_late(self) -> bool:
        """Look again for claims whose command the server may have read only after it was asked what had been claimed.

        Whether some were made: the next turn hands them out.
        """
        if self._doubt is not None:
            self._resolve_doubt()
        monotonic_now = time.monotonic()
        for late in list(self._late):
            first, last, monotonic_end = late
            self._late.remove(late)
            try:
                if not self._reread(first, last) and monotonic_now < monotonic_end:
                    self._late.append(late)
            except BaseException:
                self._doubt = self._doubt or (first, last)
                raise
        return bool(self._recovered)

    def _noted(self, number: int, note: bytes) -> tuple[str, Any]:
        """Hold the claim that has this note: its queue and its message."""
        # The queue is that of ours whose tail the note has: a damaged message says nothing of it.
        queue = next((name for name, tail in self.tails.items() if note.endswith(tail.encode())), "")
        message = parse_note(note)
        self._open[number] = Place(self.keys.list_for(queue, priority_of(message)), len(self.tails.get(queue, "")))
        return queue, message

    # -- what is not due yet ----------------------------------------------------------------------

    def _not_before_time(self, found: list[tuple[int, str, Any]]) -> list[Delivery]:
        """Deliveries of what is due; the rest goes back to the server until it is."""
        now = time.time()
        early: list[tuple[int, float]] = []
        deliveries = []
        for number, queue, message in found:
            due = due_of(message)
            # What may yet be put away, is: were it handed out now, it would come again.
            if due is not None and (due > now + _SOON or number in self._leaving):
                early.append((number, due))
            else:
                deliveries.append(opened(number, queue, message))
        if early:
            try:
                self._put_away(early)
            except BaseException:
                # All of them are claimed; the next turn hands out these, and puts those away again.
                numbers = [number for number, _, _ in found]
                self._doubt = (min(numbers), max(numbers))
                raise
        return deliveries

    def _put_away(self, early: list[tuple[int, float]]) -> None:
        keys = self.keys
        self._leaving.update(number for number, _ in early)
        arguments: list[Any] = []
        for number, due in early:
            place = self._open[number]
            tag = self.tag(number)
            arguments += [tag, repr(due), f"{tag}:{place.tail}:{place.list}"]
        (_, next_due) = self.link.ask(
            _defer([keys.unacked, keys.unacked_index, keys.eta], self._visibility_timeout, *arguments),
            ("ZRANGE", keys.eta, 0, 0, "WITHSCORES"),
        )
        for number, _ in early:
            del self._open[number]
            self._leaving.discard(number)
        # A server that did not know the script was asked for the next one before it had put these away.
        first = min(due for _, due in early)
        if next_due:
            first = min(first, float(next_due[1]))
        # Our clock in place of the server's: the next claim corrects it.
        self.next_due = (first, time.time())

    # -- settling ---------------------------------------------------------------------------------

    def tag(self, number: int) -> str:
        """What the server calls the claim."""
        return f"{self.owner}.{number}"

    def _settlement(self, batch: Settlements) -> _Settlement:
        held = self._open
        begin = [number for number in batch.begin if number in held and number not in self._begun]
        begun = self._begun.union(begin)
        ended = [number for number in (*batch.ack, *batch.reject) if number in held]
        back = [number for number in (*batch.requeue, *batch.redeliver) if number in held]
        commands: list[Command] = []
        keys = [self.keys.unacked, self.keys.unacked_index, self.begun_key]
        if begin or ended:
            commands.append(
                _settle(
                    keys,
                    self.owner,
                    runs_of(begin),
                    runs_of([number for number in ended if number not in begun]),
                    runs_of([number for number in ended if number in begun]),
                )
            )
        if back:
            arguments: list[Any] = [self.owner]
            # The youngest first: each goes before those that went back earlier.
            for number in sorted(set(batch.requeue).intersection(held), reverse=True):
                arguments += [number, *held[number], "R", ""]
            for number, text in self._counted([number for number in batch.redeliver if number in held]):
                arguments += [number, *held[number], "L", text]
            commands.append(_give_back(keys, *arguments))
        return _Settlement(commands, begin, [*ended, *back])

    def _counted(self, numbers: list[int]) -> list[tuple[int, str]]:
        """The messages as they go back to be delivered again; empty for one that cannot be read and goes as it is."""
        if not numbers:
            return []
        (notes,) = self.link.ask(("HMGET", self.keys.unacked, *[self.tag(number) for number in numbers]))
        found = []
        for number, note in zip(numbers, notes, strict=True):
            try:
                text = written(redelivered(note)[0]) if note else ""
            except ValueError:
                text = ""
            found.append((number, text))
        return found

    def _apply(self, settlement: _Settlement) -> None:
        self._begun.update(settlement.begun)
        for number in settlement.ended:
            self._open.pop(number, None)
            self._begun.discard(number)

    # -- life -------------------------------------------------------------------------------------

    def inherited(self, notes: Sequence[bytes], first: int) -> list[Delivery]:
        """Deliveries of begun messages that were another owner's and are now this one's, numbered from `first`."""
        deliveries = []
        for number, note in enumerate(notes, first):
            deliveries.append(opened(number, *self._noted(number, note)))
            self._begun.add(number)
        return deliveries

    def numbers(self, count: int) -> int:
        """The first of `count` numbers that are taken for other things than claims."""
        first = self._next
        self._next += count
        return first

    def is_begun(self, number: int) -> bool:
        """Whether this owner has begun that message, and not settled it."""
        return number in self._begun

    def renew(self) -> Command:
        """The command that keeps all claims."""
        # A copy first: another thread may claim and settle meanwhile.
        waiting = [number for number in list(self._open) if number not in self._begun]
        return _renew([self.keys.owners, self.keys.unacked_index], self.owner, runs_of(waiting))

    def release(self) -> None:
        """Give back what is neither begun nor settled, uncounted, and be no owner any more."""
        self.look_for_late()
        self.settle(Settlements(requeue=[number for number in self._open if number not in self._begun]))
        # What is begun is to be found at once by others; the server may know of more than we do.
        owners = self.keys.owners
        self.link.ask(("ZADD", owners, "XX", 0, self.owner), _forget([owners, self.begun_key], self.owner, 0))


class _Settlement(NamedTuple):
    """What is to be said to the server, and what is so when it has been said."""

    commands: list[Command]
    begun: list[int]
    ended: list[int]
