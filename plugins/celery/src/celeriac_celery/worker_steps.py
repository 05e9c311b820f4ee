"""Steps of the worker that are there for Celery's names."""

from __future__ import annotations

from typing import Any

from celeriac.bootsteps import Step
from celeriac_celery import worker_state
from celeriac_celery.worker_state import workers


class Known(Step):
    """Notes the worker for ``celery.worker.state``, which is also the worker's own attribute `state`."""

    def create(self, parent: Any) -> None:
        workers.add(parent)
        parent.state = worker_state


__all__ = ["Known"]
