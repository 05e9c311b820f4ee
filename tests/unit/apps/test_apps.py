"""``celeriac.apps``: the programs where code that was written for Celery finds them."""

from __future__ import annotations

import subprocess
import sys

import celeriac.worker
from celeriac.apps.beat import Beat
from celeriac.apps.worker import Worker
from celeriac.beat import Beat as BeatOfOurs


def test_the_programs_are_those_that_the_app_runs(make_app):
    app = make_app()
    assert issubclass(app.Worker, Worker)
    assert celeriac.worker.WorkController is Worker
    assert Beat is BeatOfOurs
    assert issubclass(app.Beat, Beat)


def test_a_part_of_the_worker_does_not_load_all_of_it():
    program = "import celeriac.worker.health.server, sys; print('celeriac.worker.boot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "False\n"
