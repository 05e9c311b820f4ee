"""The application: configuration, tasks, routing, publishing."""

from __future__ import annotations

from celeriac.app.base import Celery
from celeriac.app.current import get_current_app
from celeriac.app.pickling import AppPickler
from celeriac.app.shared import shared_task

__all__ = ["AppPickler", "Celery", "app_or_default", "bugreport", "default_app", "shared_task"]


def app_or_default(app: Celery | None = None) -> Celery:
    """`app`, or the current one."""
    return get_current_app() if app is None else app


def bugreport(app: Celery | None = None) -> str:
    """What a bug report should say of this installation, and of the configuration of `app` or the current one."""
    return app_or_default(app).bugreport()


def __getattr__(name: str) -> object:
    if name == "default_app":
        return get_current_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
