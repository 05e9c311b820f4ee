"""``celeriac.apps.worker:Worker``: the worker as a program."""

from __future__ import annotations

from celeriac.worker.boot import WorkController as Worker

__all__ = ["Worker"]
