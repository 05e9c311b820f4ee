"""Where users of Celery look for the debugger of workers: ``from celeriac.contrib import rdb; rdb.set_trace()``."""

from __future__ import annotations

from celeriac.worker.debugger import DEFAULT_HOST, DEFAULT_PORT, Rdb, set_trace

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Rdb", "set_trace"]
