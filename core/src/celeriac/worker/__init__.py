"""The worker: claims messages, hands them to a pool, settles them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celeriac.worker.boot import WorkController as WorkController

__all__ = ["WorkController"]


def __getattr__(name: str) -> Any:
    """The worker itself, loaded when it is asked for: whoever takes a part of it need not pay for all."""
    if name == "WorkController":
        return import_module("celeriac.worker.boot").WorkController
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
