"""Settings of the project that tests override: by `override_settings`, or by the fixture of pytest-django."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakSet

from django.core.signals import setting_changed  # type: ignore[import-untyped]  # Django has no annotations

_apps: Final[WeakSet[Any]] = WeakSet()


def follow(app: Any) -> None:
    """Have the app see them as long as they hold."""
    _apps.add(app)
    setting_changed.connect(_reread, dispatch_uid=__name__)


def _reread(**_: Any) -> None:
    for app in [*_apps]:
        app.conf.reread()
