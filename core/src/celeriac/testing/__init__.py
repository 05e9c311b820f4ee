"""Support for testing what is built on or for Celeriac."""

from __future__ import annotations

from celeriac.testing.worker import start_worker

__all__ = ["start_worker"]
