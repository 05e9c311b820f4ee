"""The loader that reads ``celeryconfig``."""

from __future__ import annotations

from celeriac.app.loader import DEFAULT_MODULE, DefaultLoader

__all__ = ["DEFAULT_MODULE", "Loader"]

Loader = DefaultLoader
