"""Made by `make stubs`: where each name is."""

from celeriac_eventlet.pool import EventletPool as _TaskPool

TaskPool = _TaskPool
