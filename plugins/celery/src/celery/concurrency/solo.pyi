"""Made by `make stubs`: where each name is."""

from celeriac.worker.solo import SoloPool as _TaskPool

TaskPool = _TaskPool
