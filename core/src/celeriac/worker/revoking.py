"""Revoking tasks that a worker has, and remembering those that may come."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from celeriac import states
from celeriac.contracts.outcome import OutcomeKind
from celeriac.exceptions import BackendError, TaskRevokedError
from celeriac.worker.debts import Debt
from celeriac.worker.revocations import pairs_of, stamps_of
from celeriac.worker.shared_revokes import SharedRevokes

if TYPE_CHECKING:
    from celeriac.worker.consumer.consumer import Consumer
    from celeriac.worker.open_jobs import OpenJob

logger = logging.getLogger("celeriac.worker.revoking")

#: What the store says of a task that has not begun anywhere, for all it knows.
_NOT_BEGUN: Final = frozenset({states.PENDING, states.RECEIVED, states.RETRY, states.REJECTED})


class Revoking:
    """One per consumer; all calls come from the thread of the loop."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.shared = SharedRevokes(consumer.app, consumer.state.revocations)
        #: By what signal jobs were ended, until their reports come.
        self.signals: dict[int, int] = {}

    def by_id(self, ids: Collection[str], signum: int | None = None) -> list[str]:
        """Revoke tasks by their ids; those that run are ended where there is a signal for that.

        Those that nobody has begun are stored as revoked at once, here and in any worker that hears of it: their
        messages may come much later.  Gives the ids of those that were ended.
        """
        wanted = set(ids)
        self._consumer.state.revocations.add_ids(ids)
        ended, running = self._apply(lambda job: job.id in wanted, signum)
        self.shared.add_ids(ids)
        self._store(wanted - running)
        return ended

    def learn(self, ids: Collection[str]) -> None:
        """Another worker knows these to be revoked, and has stored that."""
        wanted = set(ids)
        self._consumer.state.revocations.add_ids(ids)
        self._apply(lambda job: job.id in wanted, None)

    def by_stamps(self, stamps: Mapping[str, Any], signum: int | None = None) -> list[str]:
        """Revoke all tasks that carry one of these stamps (name to value, or to a list of values); as `by_id`."""
        pairs = set(pairs_of(stamps))
        self._consumer.state.revocations.add_stamps(stamps)
        self.shared.add_stamps(pairs)
        ended, _ = self._apply(lambda job: not pairs.isdisjoint(stamps_of(job.job.headers)), signum)
        return ended

    def _apply(self, matches: Callable[[OpenJob], bool], signum: int | None) -> tuple[list[str], set[str]]:
        """Refuse those that have not begun; end those that run, if so.  Gives ids: ended, and running before."""
        consumer = self._consumer
        for job in consumer.stock.take_matching(matches):
            consumer.refuse(job, OutcomeKind.REVOKED, TaskRevokedError("revoked"))
        running = [job for job in consumer.stock.jobs.values() if matches(job)]
        ended = []
        if signum is not None:
            for job in running:
                self.signals[job.number] = signum
                if consumer.pool.terminate_job(job.number, signum):
                    ended.append(job.id)
                else:
                    del self.signals[job.number]
                    logger.warning("Task %s[%s] runs, and the pool cannot end it", job.name, job.id)
        return ended, {job.id for job in running}

    def _store(self, ids: Collection[str]) -> None:
        """Let those who wait know, where the store says that nobody has begun."""
        app = self._consumer.app
        if not ids or app.results.backend.disabled:
            return
        try:
            found = app.results.backend.fetch(list(ids))
        except BackendError as error:
            logger.error("Results of %d revoked tasks are stored when their messages come: %s", len(ids), error)
            return
        for task_id in ids:
            if found.get(task_id, {}).get("status", states.PENDING) in _NOT_BEGUN:
                entry = app.results.entry(task_id, states.REVOKED, TaskRevokedError("revoked"))
                self._consumer.endings.debts.add(Debt(entry, None, _nothing))


def _nothing() -> None:
    return None
