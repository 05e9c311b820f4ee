"""Made by `make stubs`: where each name is."""

from celeriac_prefork.pool import PreforkPool as _TaskPool

TaskPool = _TaskPool
