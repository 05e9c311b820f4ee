"""The loader of apps that configure themselves."""

from __future__ import annotations

from celeriac.app.loader import AppLoader

__all__ = ["AppLoader"]
