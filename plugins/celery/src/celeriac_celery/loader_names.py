"""Loaders by name (``celery.loaders``)."""

from __future__ import annotations

from typing import Any, Final

from kombu.utils.imports import symbol_by_name

LOADER_ALIASES: Final = {
    "app": "celeriac.app.loader:AppLoader",
    "default": "celeriac.app.loader:DefaultLoader",
}


def get_loader_cls(loader: Any) -> Any:
    """The class of that name, or dotted name."""
    return symbol_by_name(loader, LOADER_ALIASES)


__all__ = ["LOADER_ALIASES", "get_loader_cls"]
