"""Result stores by name and URL (``celery.app.backends``)."""

from __future__ import annotations

from typing import Any

from celeriac.plugin.manager import PluginManager


def by_name(backend: Any = None, loader: Any = None, extension_namespace: str = "celery.result_backends") -> Any:
    """The class of that name.  Raises `PluginNotFound`."""
    return PluginManager().driver("backend", backend or "disabled") if isinstance(backend, str) else backend


def by_url(backend: Any = None, loader: Any = None) -> tuple[Any, Any]:
    """The class, and the URL where one was given."""
    if isinstance(backend, str) and "://" in backend:
        return by_name(backend.partition("://")[0]), backend
    return by_name(backend), None


__all__ = ["by_name", "by_url"]
