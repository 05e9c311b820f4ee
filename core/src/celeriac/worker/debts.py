"""Results that no child could store: the worker owes them, and settles their messages only when it has paid."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from celeriac.exceptions import BackendError
from celeriac.worker.backoff import Backoff

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.backend import StoredResult
    from celeriac.contracts.broker import OutgoingMessage
    from celeriac.contracts.loop import EventLoop
    from celeriac.results.service import Results
    from celeriac.worker.bereaved import Bereaved
    from celeriac.worker.next_try import NextTry

logger = logging.getLogger("celeriac.worker.debts")


@dataclass(slots=True)
class Debt:
    """What is to be done before the message of a task may be settled."""

    #: To be stored, if anything.
    result: StoredResult | None
    #: Who is to be told, if anybody; or the task's next try.
    bereaved: Bereaved | NextTry | None
    #: What settles the message.
    then: Callable[[], None]
    #: Settles it so that the broker delivers it again; None where it must not be run again.
    instead: Callable[[], None] | None = None
    #: To be published, if the message is kept as a dead letter.
    letter: OutgoingMessage | None = None
    #: Where the result is to be stored, if not where those of the app are.
    home: Results | None = None

    @property
    def whose(self) -> str:
        """The id of the task."""
        if self.result is not None:
            return self.result.task_id
        if self.letter is not None:
            return str(self.letter.headers.get("id"))
        return self.bereaved.task_id if self.bereaved is not None else ""


class Debts:
    """Paid as soon as the loop comes round, in one batch; tried again while the store is away."""

    def __init__(self, app: Celery, loop: EventLoop) -> None:
        self.app = app
        self._loop = loop
        self._debts: list[Debt] = []
        self._backoff = Backoff()
        self._is_scheduled = False

    def __len__(self) -> int:
        return len(self._debts)

    def add(self, debt: Debt) -> None:
        """Do this, once."""
        self._debts.append(debt)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._pay)

    def _pay(self) -> None:
        self._is_scheduled = False
        if self.pay():
            self._backoff.reset()
        else:
            self._is_scheduled = True
            self._loop.call_later(self._backoff.pause(), self._pay)

    def pay(self) -> bool:
        """Store what is to be stored, send what is to be sent; False where something is left for another try."""
        debts, self._debts = self._debts, []
        self._store(debts)
        for debt in debts:
            if debt.result is not None:
                self._debts.append(debt)
            elif self._has_buried(debt) and (debt.bereaved is None or debt.bereaved.tell(self.app)):
                debt.then()
            else:
                self._debts.append(debt)
        return not self._debts

    def _has_buried(self, debt: Debt) -> bool:
        """Whether the dead letter, if there is one, is on the broker by now."""
        letter = debt.letter
        if letter is None:
            return True
        try:
            with self.app.publisher.lanes.lend() as lane:
                lane.publish([letter])
        except self.app.connection_errors as error:
            logger.error("A dead letter for queue %s waits for the broker: %s", letter.routing_key, error)
            return False
        except Exception:
            logger.exception("A dead letter for queue %s cannot be kept, and is dropped", letter.routing_key)
        debt.letter = None
        return True

    def give_up(self) -> list[Debt]:
        """The worker ends: what is still owed."""
        debts, self._debts = self._debts, []
        return debts

    # -- storing ------------------------------------------------------------------------------------------------------

    def _store(self, debts: Sequence[Debt]) -> None:
        """Store in each store what belongs there; debts whose result is still there wait for their store."""
        owing: dict[Results, list[Debt]] = {}
        for debt in debts:
            if debt.result is not None:
                owing.setdefault(debt.home or self.app.results, []).append(debt)
        for home, some in owing.items():
            try:
                self._store_at(home, some)
            except BackendError as error:
                left = sum(debt.result is not None for debt in some)
                logger.error("Results of %d tasks that no process could store wait for the store: %s", left, error)

    def _store_at(self, home: Results, debts: Sequence[Debt]) -> None:
        try:
            home.backend.store([debt.result for debt in debts if debt.result is not None])
        except BackendError:
            raise
        except Exception:  # noqa: BLE001  # one of them is at fault, and must not hold up the others
            for debt in debts:
                self._store_one(home, debt)
        for debt in debts:
            debt.result = None

    def _store_one(self, home: Results, debt: Debt) -> None:
        assert debt.result is not None
        try:
            home.backend.store([debt.result])
        except BackendError:
            raise
        except Exception:
            logger.exception("The store cannot take the result of task %s, which is dropped", debt.result.task_id)
        debt.result = None
