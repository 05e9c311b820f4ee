"""Made by `make stubs`: where each name is."""

from celeriac.worker.heartbeat import *
