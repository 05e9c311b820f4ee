"""What the worker owes to the broker: how many messages it holds, and what is to be said of those that it does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from celeriac.contracts.broker import Settlements
from celeriac.worker.settlement import Verdict

_LISTS: Final = ("ack", "begin", "requeue", "redeliver", "reject")


class Ledger:
    """Each claimed message is held from `claimed` until exactly one of `settle`, `give_back` and `void`."""

    def __init__(self) -> None:
        #: Messages that are claimed and not settled, also not by the batch that waits.
        self.held = 0
        self._batch = Settlements()

    def claimed(self, count: int) -> None:
        """So many messages were claimed."""
        self.held += count

    def settle(self, tag: Any, verdict: Verdict) -> None:
        """It is decided what becomes of a message."""
        self.held -= 1
        if verdict is Verdict.ACK:
            self._batch.ack.append(tag)
        elif verdict is Verdict.REJECT:
            self._batch.reject.append(tag)
        else:
            self._batch.redeliver.append(tag)

    def give_back(self, tags: Iterable[Any]) -> None:
        """These were not begun and go back to the queue."""
        before = len(self._batch.requeue)
        self._batch.requeue += tags
        self.held -= len(self._batch.requeue) - before

    def void(self, count: int) -> None:
        """The broker has taken back so many messages, of which nothing is to be said."""
        self.held -= count

    @property
    def acked(self) -> Sequence[Any]:
        """What has ended well, or was begun and has ended, and is still to be said."""
        return self._batch.ack

    def take(self) -> Settlements:
        """Everything that is to be said; `put_back` if it could not be."""
        batch, self._batch = self._batch, Settlements()
        return batch

    def put_back(self, batch: Settlements) -> None:
        """`batch` is still to be said, before what has come since."""
        for name in _LISTS:
            getattr(self._batch, name)[:0] = getattr(batch, name)

    def __len__(self) -> int:
        """How many messages there is something to say of."""
        return sum(len(getattr(self._batch, name)) for name in _LISTS)
