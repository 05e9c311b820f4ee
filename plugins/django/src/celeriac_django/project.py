"""Which app is the project's: what admin pages and the backend of ``django.tasks`` send with."""

from __future__ import annotations

from typing import Any, Final

from celeriac.exceptions import ImproperlyConfigured

_apps: Final[list[Any]] = []


def remember(app: Any) -> None:
    """Have this app be the project's; the first one stays."""
    if not _apps:
        _apps.append(app)


def app() -> Any:
    """The app of the project.  Raises `ImproperlyConfigured` where this process has made none."""
    if not _apps:
        raise ImproperlyConfigured(
            "this process has no Celeriac app: import yours in the project's package, as in "
            "`from .celery import app as celery_app` in its __init__.py"
        )
    return _apps[0]
