"""Made by `make stubs`: where each name is."""

from celeriac.worker.boot import WorkController as WorkController
from celeriac.worker.boot import WorkerBlueprint as WorkerBlueprint
from celeriac.worker.boot import concurrency_of as concurrency_of
from celeriac.worker.boot import logger as logger
