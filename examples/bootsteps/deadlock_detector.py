"""Ends a worker in which nothing moves any more, so that whoever supervises it starts another.

celeriac -A deadlock_detector worker --deadlock-timeout 60
"""

import faulthandler
import logging
import time

import click

from celeriac import Celery
from celeriac.bootsteps import StartStopStep

logger = logging.getLogger(__name__)

app = Celery("deadlock_detector", task_acks_late=True)
app.user_options["worker"].add(
    click.Option(["--deadlock-timeout"], type=float, help="End the worker when all children are as long at one task.")
)


class DeadlockDetector(StartStopStep):
    requires = ("celeriac.worker.components:Pool",)

    def __init__(self, parent, deadlock_timeout=None, **options):
        super().__init__(parent, **options)
        self.enabled = deadlock_timeout is not None
        self.timeout = deadlock_timeout
        self.timer = None

    def start(self, parent):
        self.timer = parent.hub.call_repeatedly(min(self.timeout / 4, 30.0), self.look, parent)

    def stop(self, parent):
        if self.timer is not None:
            self.timer.cancel()

    def look(self, parent):
        oldest_start = time.monotonic() - self.timeout
        stuck = [run for run in parent.pool.active() if run.since < oldest_start]
        if len(stuck) < parent.concurrency:
            return  # somebody still works
        for run in stuck:
            logger.critical("Process %d has been at one task for %.0f s", run.pid, time.monotonic() - run.since)
        faulthandler.dump_traceback(all_threads=True)
        # A cold stop: messages that are acked late go back to their queue, others are told of as lost.
        parent.terminate()


app.steps["worker"].add(DeadlockDetector)


@app.task
def wait_for(path):
    """Runs until there is a file of that name."""
    import os

    while not os.path.exists(path):
        time.sleep(0.05)
