"""An app whose worker's children are new interpreters; also a program of its own, where the app is that of __main__."""

from __future__ import annotations

import multiprocessing
import os
import sys

from celeriac import Celery, signals

app = Celery("spawned_app", set_as_current=False)
told = []


@signals.worker_process_init.connect
def _on_init(**kwargs):
    told.append("init")


@signals.worker_process_shutdown.connect
def _on_shutdown(pid, exitcode, **kwargs):
    print(f"process {pid == os.getpid()} ends with {exitcode}", flush=True)


@signals.worker_before_create_process.connect
def _before(sender, **kwargs):
    print(f"about to start a process from {multiprocessing.current_process().name}", flush=True)


@app.task(name="where")
def where():
    """The process, its parent, and what was told here."""
    return os.getpid(), os.getppid(), told, os.environ.get("SEEN_BY"), "pytest" in sys.modules


@app.task(name="raises")
def raises():
    """Fails."""
    raise LookupError("in a new interpreter")


@app.task(name="exits")
def exits():
    """Ends its process."""
    sys.exit(7)


if __name__ == "__main__":
    app.worker_main(sys.argv[1:])
