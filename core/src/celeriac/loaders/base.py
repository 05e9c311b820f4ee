"""What loaders of users are made of."""

from __future__ import annotations

from celeriac.contracts.loader import Loader

__all__ = ["BaseLoader"]

BaseLoader = Loader
