"""Revoked tasks in the result store, where that can keep them: known to every worker that starts later."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from celeriac.contracts.primitives import StorePrimitives
from celeriac.exceptions import BackendError

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.worker.revocations import Revocations

logger = logging.getLogger("celeriac.worker.revoking")

#: A sorted set.  A member is ``i`` and an id, or ``s`` and a stamp's name and value as JSON; its score is the time of
#: its revocation.
_SET: Final = "celeriac.revoked"
_ID: Final = "i"
_STAMP: Final = "s"


class SharedRevokes:
    """One per worker.  Where the store has no primitives, or is away, this does nothing, and the worker goes on."""

    def __init__(self, app: Celery, revocations: Revocations) -> None:
        self._app = app
        self._revocations = revocations

    @property
    def _store(self) -> StorePrimitives | None:
        backend = self._app.results.backend
        return backend if isinstance(backend, StorePrimitives) else None

    def read(self) -> None:
        """Learn what was revoked before this worker began; forget in the store what has expired."""
        store = self._store
        if store is None:
            return
        oldest = time.time() - self._revocations.ids.seconds
        try:
            expired = store.members_between(_SET, -math.inf, oldest, self._revocations.ids.most)
            if expired:
                store.remove_members(_SET, [member for member, _ in expired])
            found = store.members_between(_SET, oldest, math.inf, self._revocations.ids.most)
        except BackendError as error:
            logger.error("Tasks that were revoked before cannot be read from the result store: %s", error)
            return
        for member, since in found:
            self._learn(member, since)

    def _learn(self, member: str, since: float) -> None:
        if member.startswith(_ID):
            self._revocations.add_ids([member[1:]], since)
            return
        try:
            name, value = json.loads(member[1:])
            self._revocations.add_stamps({str(name): str(value)}, since)
        except (ValueError, TypeError, RecursionError):
            logger.error("The result store has a revoked stamp that cannot be read: %.200r", member)

    def add_ids(self, ids: Iterable[str]) -> None:
        """Let others know of these."""
        self._add([f"{_ID}{task_id}" for task_id in ids])

    def add_stamps(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Let others know of these, by name and value."""
        self._add([f"{_STAMP}{json.dumps(pair)}" for pair in pairs])

    def _add(self, members: list[str]) -> None:
        store = self._store
        if store is None:
            return
        now = time.time()
        try:
            store.add_members(_SET, dict.fromkeys(members, now))
        except BackendError as error:
            logger.error("The result store does not keep %d revoked tasks: %s", len(members), error)
