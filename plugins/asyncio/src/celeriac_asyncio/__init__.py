"""A pool of child processes with an event loop each, in which coroutine tasks run by the hundred."""

from __future__ import annotations
