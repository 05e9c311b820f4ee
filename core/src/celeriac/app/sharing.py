"""Tasks that every app of the process gets: those of ``shared_task`` and of other apps."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.app.base import Celery

Definition = Callable[["Celery"], Any]

#: With the app that a definition goes away with, where there is one.
_definitions: list[tuple[weakref.ref[Celery] | None, Definition]] = []
_apps: weakref.WeakSet[Celery] = weakref.WeakSet()
_lock = threading.Lock()


def remember_app(app: Celery) -> None:
    """A new app, which is to get the shared tasks that are defined later."""
    with _lock:
        _apps.add(app)
        _drop(None)  # those of apps that are gone, so that making and dropping apps fills no memory


def forget_app(app: Celery) -> None:
    """The app is closed: it gets no more tasks, and gives its own to nobody."""
    with _lock:
        _apps.discard(app)
        _drop(app)


def _drop(app: Celery | None) -> None:
    _definitions[:] = [entry for entry in _definitions if entry[0] is None or entry[0]() not in (app, None)]


def connect_shared(definition: Definition, owner: Celery | None = None) -> None:
    """Let `definition` define its task on each app when it is finalized.

    With an `owner`, the app on which it was defined, it lasts as long as that, and apps that are finalized already are
    left as they are.  Without one it lasts as long as the process, and they get it at once.
    """
    with _lock:
        _definitions.append((weakref.ref(owner) if owner is not None else None, definition))
        apps = list(_apps) if owner is None else []
    for app in apps:
        if app.finalized:
            definition(app)


def shared_definitions() -> list[Definition]:
    """All definitions whose owner lives."""
    with _lock:
        return [definition for owner, definition in _definitions if owner is None or owner() is not None]
