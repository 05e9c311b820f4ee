"""The hook: where this pool is installed, it is the default."""

from __future__ import annotations

from typing import Any

from celeriac.plugin import hookimpl


@hookimpl
def celeriac_configured(app: Any) -> None:
    """Have workers use this pool unless the configuration names another."""
    app.add_defaults({"worker_pool": "prefork"})
