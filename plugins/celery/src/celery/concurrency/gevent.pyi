"""Made by `make stubs`: where each name is."""

from celeriac_gevent.pool import GeventPool as _TaskPool

TaskPool = _TaskPool
