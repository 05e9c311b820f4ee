"""The task that shows that a worker works: ``celery.ping``."""

from __future__ import annotations

from celeriac.app.shared import shared_task


@shared_task(name="celery.ping")
def ping() -> str:
    """Answers ``"pong"``."""
    return "pong"


__all__ = ["ping"]
