"""What dead workers of this host had begun, for whoever reports it."""

from __future__ import annotations

import logging
import mmap
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from celeriac.contracts.broker import Settlements
from celeriac.worker.begun.directory import Unusable
from celeriac.worker.begun.journal import BEGUN, Found, Journal, Trace, owner_of, unended

if TYPE_CHECKING:
    from celeriac.contracts.broker import Delivery
    from celeriac.worker.begun.directory import JournalDirectory, Lock

logger = logging.getLogger("celeriac.worker.begun")


class _Tag(NamedTuple):
    """Of a message that no broker has delivered."""

    number: int


class Bequest(Journal):
    """The journal of a dead worker, which nobody else reads meanwhile."""

    def __init__(self, name: str, descriptor: int, lock: Lock) -> None:
        """Raises ValueError for a file that is no journal."""
        self.name = name
        self._lock = lock
        super().__init__(mmap.mmap(descriptor, 0), descriptor)
        #: Who has died.
        self.owner = owner_of(self._memory)
        self.found: list[Found] = []
        #: What of it could not be read, and why.
        self.damage = ""
        try:
            for each in unended(self._memory):
                self.found.append(each)
        except ValueError as error:
            self.damage = str(error)
        #: How many of those that are handed out have not been reported.
        self.open = 0

    def close(self) -> None:
        """Let go of it."""
        self._memory.close()
        os.close(self._descriptor)
        self._lock.release()


class Bequests:
    """One per lane.  Each message is handed out once, and again by others where it was not reported."""

    def __init__(self, directory: JournalDirectory, key: str, own: str) -> None:
        self._directory = directory
        self._key = key
        #: Names of files that are not to be looked at: our own, and those that could not be dealt with.
        self._passed = {own}
        #: By the name of the file: those of which something is not reported yet.
        self._open: dict[str, Bequest] = {}
        #: Messages of queues that are not ours, by the name of their file.
        self._foreign: dict[str, frozenset[str]] = {}
        self._traces: dict[Any, tuple[Bequest, Trace]] = {}
        self._number = 0
        #: By the id of the task: of these the broker may not have been told, and then they come again.
        self._doubtful: dict[str, list[tuple[Bequest, Found]]] = {}

    def look(self, queues: Collection[str]) -> list[Delivery]:
        """Begun messages of these queues whose worker has died.

        A doubtful one is waited for until the next look.
        """
        found = [self._handed_out(bequest, each) for doubted in self._doubtful.values() for bequest, each in doubted]
        self._doubtful.clear()
        try:
            names = set(self._directory.names(self._key))
        except OSError as error:
            logger.error("The directory of journals %s cannot be read: %s", self._directory.path, error)
            return found
        for gone in self._foreign.keys() - names:
            del self._foreign[gone]
        for name in sorted(names - self._passed - self._open.keys()):
            foreign = self._foreign.get(name)
            if foreign is None or not foreign.isdisjoint(queues):
                found += self._inherited(name, queues)
        return found

    def _inherited(self, name: str, queues: Collection[str]) -> list[Delivery]:
        try:
            descriptor, lock = self._directory.inherit(name)
        except (BlockingIOError, FileNotFoundError):
            return []
        except (OSError, Unusable) as error:
            self._passed.add(name)
            logger.error("The journal %s in %s is left alone: %s", name, self._directory.path, error)
            return []
        try:
            bequest = Bequest(name, descriptor, lock)
        except (ValueError, OSError) as error:
            self._set_aside(name, str(error))
            os.close(descriptor)
            lock.release()
            return []
        if not bequest.owner.was_here:
            self._passed.add(name)
            bequest.close()
            return []
        return self._taken(bequest, queues)

    def _set_aside(self, name: str, damage: str) -> None:
        logger.error(
            "The journal %s in %s cannot be read and is set aside, so that tasks that its worker had begun may end"
            " without a word: %s",
            name,
            self._directory.path,
            damage,
        )
        self._passed.add(name)
        self._directory.set_aside(name)

    def _taken(self, bequest: Bequest, queues: Collection[str]) -> list[Delivery]:
        ours = [each for each in bequest.found if each.delivery.queue in queues]
        others = frozenset(each.delivery.queue for each in bequest.found if each.delivery.queue not in queues)
        if bequest.damage:
            self._set_aside(bequest.name, bequest.damage)
        elif others:
            self._foreign[bequest.name] = others
        else:
            self._foreign.pop(bequest.name, None)
        bequest.found.clear()
        bequest.open = len(ours)
        self._open[bequest.name] = bequest
        handed_out = []
        for each in ours:
            task_id = each.delivery.headers.get("id")
            if each.state == BEGUN or not isinstance(task_id, str):
                handed_out.append(self._handed_out(bequest, each))
            else:
                self._doubtful.setdefault(task_id, []).append((bequest, each))
        if ours:
            logger.warning("Worker %s has died: %d messages had begun and not ended", bequest.owner.worker, len(ours))
        self._close_if_done(bequest)
        return handed_out

    def _handed_out(self, bequest: Bequest, found: Found) -> Delivery:
        self._number += 1
        tag = _Tag(self._number)
        self._traces[tag] = (bequest, found.trace)
        return found.delivery._replace(tag=tag)

    # -- what became of it --------------------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether a message may come again of which nobody knows whether the broker was told."""
        return bool(self._doubtful)

    def came(self, deliveries: Iterable[Delivery]) -> None:
        """The broker has sent these: it had not been told that they begin, and now they do."""
        for delivery in deliveries:
            task_id = delivery.headers.get("id")
            if isinstance(task_id, str):
                for bequest, found in self._doubtful.pop(task_id, ()):
                    self._end(bequest, found.trace)

    def settle(self, batch: Settlements) -> Settlements:
        """What is left of `batch` for the broker, which knows nothing of what was handed out here."""
        if not self._number:
            return batch
        for tag in (*batch.ack, *batch.reject):
            trace = self._traces.pop(tag, None)
            if trace is not None:
                self._end(*trace)
        # One that is to go back is not reported, and left to others.
        acked, rejected = _of_the_broker(batch.ack), _of_the_broker(batch.reject)
        requeued, redelivered = _of_the_broker(batch.requeue), _of_the_broker(batch.redeliver)
        return Settlements(acked, batch.begin, requeued, redelivered, rejected)

    def _end(self, bequest: Bequest, trace: Trace) -> None:
        bequest.end([trace])
        bequest.open -= 1
        self._close_if_done(bequest)

    def _close_if_done(self, bequest: Bequest) -> None:
        if bequest.open:
            return
        if bequest.name not in self._foreign and not bequest.damage:
            self._directory.remove(bequest.name)
        del self._open[bequest.name]
        bequest.close()

    def close(self) -> None:
        """What is not reported is left to others."""
        while self._open:
            self._open.popitem()[1].close()
        self._traces.clear()
        self._doubtful.clear()
        with suppress(OSError):
            self._directory.close()


def _of_the_broker(tags: Iterable[Any]) -> list[Any]:
    return [tag for tag in tags if not isinstance(tag, _Tag)]
