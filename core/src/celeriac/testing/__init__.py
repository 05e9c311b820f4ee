"""Support for testing what is built on or for Celeriac."""

from __future__ import annotations

from celeriac.testing.clock import FakeClock
from celeriac.testing.published import Published, PublishedTask, published
from celeriac.testing.worker import start_worker

__all__ = ["FakeClock", "Published", "PublishedTask", "published", "start_worker"]
