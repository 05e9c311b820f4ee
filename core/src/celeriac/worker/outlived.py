"""Tasks that had ended when their worker died, and of which it had not told the broker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from celeriac import states
from celeriac.exceptions import StoreUnavailable

if TYPE_CHECKING:
    from celeriac.app.base import Celery
    from celeriac.contracts.broker import Delivery
    from celeriac.results.service import Results

logger = logging.getLogger("celeriac.worker.outlived")


def successes(app: Celery, deliveries: Iterable[Delivery]) -> dict[str, Any]:
    """What those of these tasks have returned whose success is stored, by their ids.

    Nothing else shows that a task has ended: an error may be that of a run before.  Where a result cannot be read its
    task has not ended, as far as one knows.  One question to each store, where all can be read.  Raises
    `StoreUnavailable`.
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
        metas = _metas(home, task_ids)
        found.update({one: meta.get("result") for one, meta in metas.items() if meta.get("status") == states.SUCCESS})
    return found


def _metas(home: Results, task_ids: list[str]) -> dict[str, Any]:
    """Those of the tasks that can be read; one that somebody has damaged, or written in another way, hides no other."""
    try:
        return dict(home.backend.fetch(task_ids))
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001  # whatever reading it raises, others wait to be told of
        if len(task_ids) > 1:
            return {name: meta for one in task_ids for name, meta in _metas(home, [one]).items()}
        logger.error("Whether task %s of a dead worker has succeeded cannot be read: %s", task_ids[0], error)
        return {}
