"""The application: configuration, tasks, routing, publishing."""

from __future__ import annotations

from celeriac.app.base import Celery
from celeriac.app.current import get_current_app
from celeriac.app.shared import shared_task

__all__ = ["Celery", "app_or_default", "default_app", "shared_task"]


def app_or_default(app: Celery | None = None) -> Celery:
    """`app`, or the current one."""
    return get_current_app() if app is None else app


def __getattr__(name: str) -> object:
    if name == "default_app":
        return get_current_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
