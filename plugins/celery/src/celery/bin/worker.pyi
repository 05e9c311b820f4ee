"""Made by `make stubs`: where each name is."""

from celeriac.cli.worker import WorkerCommand as WorkerCommand
from celeriac.cli.worker import as_they_were as as_they_were
from celeriac.cli.worker import worker as worker
