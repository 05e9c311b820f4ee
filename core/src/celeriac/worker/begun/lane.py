"""A lane whose broker forgets what has begun: this host remembers it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

from celeriac.contracts.broker import ConsumerLane, Delivery, LaneCapabilities, Settlements
from celeriac.worker.begun.bequests import Bequests
from celeriac.worker.begun.directory import JournalDirectory, Unusable, journal_directory
from celeriac.worker.begun.journal import DOUBTFUL, Full, OwnJournal, Region, Trace

if TYPE_CHECKING:
    from celeriac.contracts.loop import EventLoop

logger = logging.getLogger("celeriac.worker.begun")

T = TypeVar("T")

_REMEDY: Final = (
    "What this worker has begun ends without a word if it is killed, and it begins only as many tasks as can run at"
    " once: %s. Have `worker_journal_directory` name a directory that it may write to, of its user alone and on a disk"
    ' with room, or set it to "" if you can do without (docs/explanation/reliability.md)'
)


class JournaledLane(ConsumerLane):
    """Puts a journal beside an open lane without BEGIN_TRACE, and says of messages of the dead what that lane cannot.

    A message is noted as doubtful before the broker is told that it begins, and as begun afterwards; a doubtful one of
    a dead worker is waited for, because the broker sends it again if it was not told.
    """

    def __init__(self, lane: ConsumerLane, journal: OwnJournal, bequests: Bequests, queues: Sequence[Any]) -> None:
        #: The lane that it serves.
        self.lane = lane
        self._journal = journal
        self._bequests = bequests
        self._queues = {queue.name for queue in queues}
        self._held: dict[Any, Delivery] = {}
        self._traces: dict[Any, Trace] = {}
        self._is_full = False
        self.on_void, lane.on_void = lane.on_void, self._void
        self.on_lost = lane.on_lost
        self.renew_interval = lane.renew_interval
        self._describe()

    def _describe(self) -> None:
        trace = LaneCapabilities.NONE if self._is_full else LaneCapabilities.BEGIN_TRACE
        self.capabilities = self.lane.capabilities | trace

    def _void(self, tags: Collection[Any]) -> Collection[Any]:
        kept = set(self.on_void(tags))
        for tag in tags:
            if tag not in kept:
                self._held.pop(tag, None)
        return kept

    # -- in -----------------------------------------------------------------------------------------------------------

    def claim(self, limit: int) -> list[Delivery]:
        return self._claimed(self.lane.claim(limit))

    def _claimed(self, deliveries: list[Delivery]) -> list[Delivery]:
        held = self._held
        for delivery in deliveries:
            held[delivery.tag] = delivery
        if self._bequests.waits:
            self._bequests.came(deliveries)
        return deliveries

    def lost(self) -> list[Delivery]:
        if self._is_full:
            self._is_full = False  # there may be room by now
            self._describe()
        return self._bequests.look(self._queues)

    # -- out ----------------------------------------------------------------------------------------------------------

    def settle(self, batch: Settlements) -> None:
        self._say(batch, self.lane.settle)

    def turn(self, batch: Settlements, limit: int) -> list[Delivery]:
        return self._claimed(self._say(batch, lambda settled: self.lane.turn(settled, limit)))

    def _say(self, batch: Settlements, say: Callable[[Settlements], T]) -> T:
        held, traces, journal = self._held, self._traces, self._journal
        if batch.ack:
            # Those that began were acked then: that they have ended is said to nobody else.
            journal.end([traces.pop(tag) for tag in batch.ack if tag in traces])
        begin = [tag for tag in batch.begin if tag in held]
        region = self._noted(begin) if begin else None
        back = [tag for tag in (*batch.requeue, *batch.redeliver) if tag in traces]
        journal.mark([traces[tag] for tag in back], DOUBTFUL)
        try:
            answer = say(self._bequests.settle(batch))
        except BaseException:
            if region is not None:
                journal.end([Trace(region, number) for number in range(len(begin))])
            raise
        if region is not None:
            journal.begun(region)
        for number, tag in enumerate(begin):
            del held[tag]
            if region is not None:
                traces[tag] = Trace(region, number)
        journal.end([traces.pop(tag) for tag in (*batch.reject, *back) if tag in traces])
        for tags in (batch.ack, batch.reject, batch.requeue, batch.redeliver):
            for tag in tags:
                held.pop(tag, None)
        return answer

    def ended(self, tags: Collection[Any]) -> None:
        self._journal.end([self._traces.pop(tag) for tag in tags if tag in self._traces])

    def _noted(self, tags: Sequence[Any]) -> Region | None:
        try:
            return self._journal.write([self._held[tag] for tag in tags])
        except (Full, OSError) as error:
            if not self._is_full:
                self._is_full = True
                logger.warning(_REMEDY, f"its journal cannot be written ({error})")
                self._describe()
            return None

    # -- all else -----------------------------------------------------------------------------------------------------

    def open(self, queues: Sequence[Any], loop: EventLoop, on_ready: Callable[[], None]) -> None:
        raise RuntimeError("the lane is open")

    def prefetch(self, limit: int) -> None:
        self.lane.prefetch(limit)

    def stop_receiving(self) -> None:
        self.lane.stop_receiving()

    def add_queue(self, queue: Any) -> None:
        self.lane.add_queue(queue)
        self._queues.add(queue.name)
        self._describe()

    def remove_queue(self, name: str) -> None:
        self.lane.remove_queue(name)
        self._queues.discard(name)
        self._describe()

    def renew(self) -> None:
        self.lane.renew()

    def probe(self) -> None:
        self.lane.probe()

    def keeper(self) -> Callable[[], None] | None:
        return self.lane.keeper()

    def depth(self, queue: str) -> int | None:
        return self.lane.depth(queue)

    def close(self) -> None:
        try:
            self.lane.close()
        finally:
            self._journal.close()
            self._bequests.close()


def journaled(
    lane: ConsumerLane, address: str, queues: Sequence[Any], directory: str | None, worker: str
) -> ConsumerLane:
    """The open `lane`, with a journal where its broker keeps no trace of what has begun, and one is to be had.

    `address` is that of the broker, as all workers know it, and `directory` where journals are: None is the default
    place, and nothing is none.
    """
    if LaneCapabilities.BEGIN_TRACE in lane.capabilities or directory == "":
        return lane
    key = sha256(address.encode()).hexdigest()[:16]
    try:
        place = JournalDirectory(journal_directory(directory))
    except Unusable as error:
        logger.warning(_REMEDY, error)
        return lane
    try:
        journal = OwnJournal(place, key, worker)
    except OSError as error:
        place.close()
        logger.warning(_REMEDY, f"no journal can be made in {place.path} ({error.strerror})")
        return lane
    return JournaledLane(lane, journal, Bequests(place, key, journal.name), queues)
