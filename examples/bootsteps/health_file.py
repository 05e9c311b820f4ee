"""A file that is fresh as long as the worker's loop turns: for supervisors that look at files.

celeriac -A health_file worker --health-file alive
"""

import os
import time
from pathlib import Path

import click

from celeriac import Celery
from celeriac.bootsteps import StartStopStep

app = Celery("health_file")
app.user_options["worker"].add(click.Option(["--health-file"], help="Write the time to this file every second."))


class HealthFile(StartStopStep):
    requires = ("celeriac.worker.components:Hub",)

    def __init__(self, parent, health_file=None, **options):
        super().__init__(parent, **options)
        self.path = Path(health_file) if health_file else None
        self.enabled = health_file is not None
        self.timer = None

    def start(self, parent):
        # Called from the loop: when a callback blocks it, the file grows old, and that is the point.
        self.write()
        self.timer = parent.hub.call_repeatedly(1.0, self.write)

    def stop(self, parent):
        if self.timer is not None:
            self.timer.cancel()
        self.path.unlink(missing_ok=True)

    def write(self):
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        beside.write_text(f"{time.time():.3f}\n")
        beside.replace(self.path)  # whoever looks never sees half a file


app.steps["worker"].add(HealthFile)


@app.task
def add(x, y):
    return x + y
