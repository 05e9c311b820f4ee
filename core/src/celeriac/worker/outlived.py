"""Tasks that had ended when their worker died, and of which it had not told the broker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celeriac import states
from celeriac.exceptions import BackendError, StoreUnavailable

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import Delivery
    from celeriac.results.service import Results

logger = logging.getLogger("celeriac.worker.outlived")


def successes(app: Celery, deliveries: Iterable[Delivery]) -> dict[str, Any]:
    """What those of these tasks have returned whose success is stored, by their ids; one question to each store.

    Nothing else shows that a task has ended: an error may be that of a run before.  Where a result cannot be read its
    task has not ended, as far as one knows.  Raises `StoreUnavailable`.
    """
    asked: dict[Results, list[str]] = {}
    for delivery in deliveries:
        task_id, name = delivery.headers.get("id"), delivery.headers.get("task")
        if isinstance(task_id, str) and isinstance(name, str):
            home = app.results.of_task(app.tasks.get(name))
            if not home.backend.disabled and not home.backend.replies_to_sender:
                asked.setdefault(home, []).append(task_id)
    found: dict[str, Any] = {}
    for home, task_ids in asked.items():
        try:
            metas = home.backend.fetch(task_ids)
        except StoreUnavailable:
            raise
        except BackendError as error:
            logger.error("Whether %d tasks of dead workers have succeeded cannot be read: %s", len(task_ids), error)
            continue
        found.update({one: meta.get("result") for one, meta in metas.items() if meta.get("status") == states.SUCCESS})
    return found
