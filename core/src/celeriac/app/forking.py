"""What becomes of apps in a forked child: locks anew, connections of the parent left alone, and a signal."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celeriac.app.pooling import PooledApp

_apps: weakref.WeakSet[PooledApp] = weakref.WeakSet()


def watch_forks(app: PooledApp) -> None:
    """Call ``app.after_fork()`` in each child that this process forks while the app lives."""
    _apps.add(app)


def _tell_apps() -> None:
    for app in list(_apps):
        app.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell_apps)
