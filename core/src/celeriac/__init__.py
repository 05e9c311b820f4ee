"""Celeriac: a distributed task queue with Celery's API, on a kernel that knows only plugins."""

from __future__ import annotations
