"""Made by `make stubs`: where each name is."""

from celeriac_threads.pool import ThreadPool as _TaskPool

TaskPool = _TaskPool
